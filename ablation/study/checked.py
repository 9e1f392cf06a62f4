"""Trials and outcomes read from JSON, with the type of each field and what the fields say of each other checked."""

from __future__ import annotations

import json
import math
from typing import Any

from ..design.trial import Outcome

STATUSES = ("done", "diverged", "failed")
_COUNT_TOLERANCE = 1e-6  # of a number of images computed from an accuracy; float64 is a million times closer


def parse_trial(text: str) -> dict[str, Any]:
    """Return a trial's description as plain data; custom layers need not be registered.

    Raises:
        ValueError: if it is not the JSON of a trial.
    """
    trial = _loads(text)
    shapes = {"architecture": (dict, str), "recipe": (dict,), "data": (str,), "seed": (int,)}
    for name, kinds in shapes.items():
        if not isinstance(trial, dict) or not isinstance(trial.get(name), kinds):
            raise ValueError(f"the trial has no valid {name}")
    if not isinstance(trial.get("init", ""), str):
        raise ValueError("the trial has no valid init")
    recipe = trial["recipe"]
    if not isinstance(recipe.get("name"), str) or not isinstance(recipe.get("epochs"), int):
        raise ValueError("the trial's recipe has no valid name or epochs")
    return dict(trial)


def parse_outcome(text: str) -> Outcome:
    """Return an outcome from JSON.

    Raises:
        ValueError: if a field is missing, unknown or of another type.
    """
    data = _loads(text)
    if not isinstance(data, dict) or not isinstance(data.get("train_losses"), list):
        raise ValueError("the outcome has no valid train_losses")
    try:
        outcome = Outcome.from_dict(data)
    except TypeError as error:
        raise ValueError(f"the outcome's fields are not those of an outcome ({error})") from None
    valid = {
        "status": outcome.status in STATUSES,
        "accuracy": outcome.accuracy is None or _is_number(outcome.accuracy),
        "test_loss": outcome.test_loss is None or _is_number(outcome.test_loss),
        "train_losses": all(map(_is_number, outcome.train_losses)),
        "test_images": _is_count(outcome.test_images),
        "params": _is_count(outcome.params),
        "seconds": _is_number(outcome.seconds),
        "images_per_second": _is_number(outcome.images_per_second),
        "environment": isinstance(outcome.environment, dict)
        and all(_is_setting(*item) for item in outcome.environment.items()),
        "not_learning": isinstance(outcome.not_learning, bool),
        "reason": isinstance(outcome.reason, str),
    }
    for name, is_valid in valid.items():
        if not is_valid:
            raise ValueError(f"{name} {_shorten(getattr(outcome, name))} is not possible")
    return outcome


def check_plausible(outcome: Outcome, epochs: int) -> None:
    """Check that an outcome of training is possible, such as an accuracy that is a whole number of images.

    Args:
        outcome: of status "done" or "diverged".
        epochs: epochs of the trial's recipe.

    Raises:
        ValueError: naming the field that is not possible.
    """
    losses, done = outcome.train_losses, outcome.status == "done"
    for name in ("seconds", "images_per_second"):
        if not 0 <= getattr(outcome, name) < math.inf:
            raise ValueError(f"{name} {getattr(outcome, name)} is not possible")
    if not losses or not all(map(math.isfinite, losses[:-1])) or math.isfinite(losses[-1]) != done:
        raise ValueError(f"train_losses do not fit the status {outcome.status!r}")
    if len(losses) > epochs or (done and len(losses) != epochs):
        raise ValueError(f"{len(losses)} train_losses do not fit {epochs} epochs")
    if not done:
        for name in ("accuracy", "test_loss"):
            if getattr(outcome, name) is not None:
                raise ValueError(f"{name} {getattr(outcome, name)} does not fit the status 'diverged'")
        return
    accuracy, images = outcome.accuracy, outcome.test_images
    if accuracy is None or not 0 <= accuracy <= 100:
        raise ValueError(f"accuracy {accuracy} is not possible")
    correct = accuracy * images / 100
    if images < 1 or abs(correct - round(correct)) > _COUNT_TOLERANCE * max(1, images):
        raise ValueError(f"accuracy {accuracy} is not that of a whole number of the {images} test images")
    if outcome.test_loss is None or outcome.test_loss < 0:
        raise ValueError(f"test_loss {outcome.test_loss} is not possible")


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or _is_count(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_setting(name: str, value: Any) -> bool:
    """Return whether a value of the environment is plain, or the accuracies by epoch of a trial that was validated."""
    if name == "validated":
        return isinstance(value, dict) and all(map(_is_number, value.values()))
    return _is_plain(value)


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float))


def _shorten(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."
