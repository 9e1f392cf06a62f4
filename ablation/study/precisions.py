"""The precision of a study, which is one for all its trials: outcomes of different precisions are no experiment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..design.trial import Outcome, Trial
from ..errors import AblationError
from ..train.devices import check_device, check_precision, choose, stored_precision


def check_options(options: Mapping[str, Any]) -> None:
    """Raise an `AblationError` if a device or a precision of a study's `run_options` does not exist."""
    check_device(options.get("device", "auto"))
    check_precision(options.get("precision", "auto"))


def precision_of(
    outcomes: Mapping[Trial, Outcome], options: Mapping[str, Any], labels: Mapping[Trial, str], directory: Path
) -> str | None:
    """Return the precision in which the stored trials of a study were trained, or None if there are none.

    Args:
        outcomes: the stored outcomes; those of failed trials have no precision.
        options: the study's `run_options`.
        labels: of the trials, where they have one.
        directory: of the study.

    Raises:
        AblationError: if they were trained in different precisions, or in another one than the options say.
    """
    asked = check_precision(options.get("precision", "auto"))
    found = {
        stored_precision(outcome.environment.get("precision", "fp32")): trial
        for trial, outcome in outcomes.items()
        if outcome.status != "failed"
    }
    named = {
        precision: f"{labels.get(trial, trial.architecture)}, seed {trial.seed}," for precision, trial in found.items()
    }
    others = {precision: name for precision, name in named.items() if precision != asked}
    if asked != "auto" and others:
        precision, name = next(iter(others.items()))
        raise AblationError(
            f"{name} was trained with precision {precision} in {directory}, and this study trains with {asked}: "
            "give the same precision, or another folder"
        )
    if len(named) > 1:
        (one, first), (two, second), *_ = named.items()
        raise AblationError(
            f"{first} was trained with precision {one} in {directory}, and {second} with {two}, which cannot be compared: "
            "give one of them as precision, and another folder"
        )
    return next(iter(named), None)


def settle_precision(options: Mapping[str, Any], stored: str | None, missing: int, local: bool) -> dict[str, Any]:
    """Return the options of the missing trials, which have one precision.

    Args:
        options: the study's `run_options`.
        stored: precision of the trials that are stored, or None.
        missing: number of trials that are not.
        local: whether they run on this machine; elsewhere, a worker chooses unless there are stored trials.

    Raises:
        AblationError: if this machine does not have the device, the device cannot train in the precision, or it would by default
            train in another one than that of the stored trials.
    """
    asked = check_precision(options.get("precision", "auto"))
    if not local:
        return {**options, "precision": stored} if asked == "auto" and stored else dict(options)
    chosen = choose(options.get("device", "auto"), asked)
    if stored not in (None, chosen.precision):
        raise AblationError(
            f"the stored trials of this study were trained with precision {stored}, and this machine would train the {missing} "
            f"missing ones otherwise ({chosen.said}): give --precision {stored} (as stored), or another --store"
        )
    # The GPUs of a machine may differ, and workers would then choose differently.
    return {**options, "precision": chosen.precision} if chosen.device == "cuda" else dict(options)
