"""A trial, what came of it, and the key under which the two are kept. Plain data, no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from ..errors import AblationError
from .architecture import Architecture
from .recipe import Recipe


@dataclass(frozen=True)
class Trial:
    """One training run, described: what to train, how, on what, from which seed.

    Args:
        architecture: a description, or "timm:NAME" for any model of timm.
        recipe: how to train it.
        data: the name of a data set.
        seed: 0 or more; it decides the initial weights, the order of images and every augmentation.
    """

    architecture: Architecture | str
    recipe: Recipe
    data: str = "digits"
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise AblationError(f"seed {self.seed!r} must be a whole number, 0 or more")
        if isinstance(self.architecture, str) and not self.architecture.startswith("timm:"):
            raise AblationError(f"architecture {self.architecture!r} must be an Architecture, or 'timm:NAME'")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-ready data; `from_dict` is its inverse."""
        architecture = self.architecture if isinstance(self.architecture, str) else self.architecture.to_dict()
        recipe = dataclasses.asdict(self.recipe)
        return {"architecture": architecture, "recipe": recipe, "data": self.data, "seed": self.seed}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Trial:
        """The trial that `to_dict` gave."""
        architecture = data["architecture"]
        if not isinstance(architecture, str):
            architecture = Architecture.from_dict(architecture)
        return cls(architecture, Recipe(**data["recipe"]), data["data"], data["seed"])

    def key(self, data_checksum: str) -> str:
        """Return the hash that identifies this experiment: the trial and the images it is run on.

        Only fields that differ from their defaults are hashed, so that a field added later, with a default that changes nothing,
        leaves the keys of earlier trials as they are. A default must therefore never change.

        Args:
            data_checksum: checksum of the data set; it replaces the data set's name, so that a folder may be moved.
        """
        architecture: Any = self.architecture
        if isinstance(architecture, Architecture):
            architecture = changed_fields(architecture)
        content = {"architecture": architecture, "recipe": changed_fields(self.recipe), "data": data_checksum}
        text = json.dumps({**content, "seed": self.seed}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:20]


def changed_fields(value: Architecture | Recipe) -> dict[str, Any]:
    """Return the fields of a description that have no default or differ from it.

    >>> changed_fields(Architecture(width=96))
    {'width': 96}
    """
    fields = {field.name: (getattr(value, field.name), field.default) for field in dataclasses.fields(value)}
    return {name: given for name, (given, default) in fields.items() if given != default}


@dataclass(frozen=True)
class Outcome:
    """What came of a trial.

    Args:
        status: "done"; "diverged" where the loss stopped being finite; "failed" where the trial could not be run to its end.
        accuracy: top-1 on the test images in percent; None unless it is done.
        test_loss: mean cross entropy on the test images; None unless it is done.
        train_losses: mean training loss of each epoch.
        test_images: how many were evaluated, each once.
        params: learnt parameters.
        seconds: of training and evaluation together.
        images_per_second: training images over training time.
        environment: versions, device, threads and commit.
        not_learning: the training loss was still that of guessing after the first epoch at the full rate. Such a trial is trained
            to its end and kept.
        reason: why it diverged, with the learning rate and what to try, or the traceback of what failed; "" if it is done.
    """

    status: str
    accuracy: float | None
    test_loss: float | None
    train_losses: tuple[float, ...]
    test_images: int
    params: int
    seconds: float
    images_per_second: float
    environment: dict[str, Any]
    not_learning: bool = False
    reason: str = ""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Outcome:
        """The outcome that `dataclasses.asdict` gave."""
        return cls(**{**data, "train_losses": tuple(data["train_losses"])})
