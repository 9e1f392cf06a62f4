"""Trials, their outcomes and the keys that identify them. Plain data, no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import AblationError, check_number, shown
from .architecture import Architecture
from .recipe import Recipe

MAX_SEED = 2**63 - 1  # the largest whole number that a database column and torch's generator both take
INIT_DIGITS = 16  # of the digest of weights that a trial starts from
_INIT = re.compile(f"([0-9a-f]{{{INIT_DIGITS}}})?", re.ASCII)
MAX_SEEDS = 1_000  # per network: the interval of a mean is then 0.06 standard deviations
MAX_TRIALS = 100_000  # per study


@dataclass(frozen=True)
class Trial:
    """Description of one training run: architecture, recipe, data set and seed.

    Args:
        architecture: a description, or "timm:NAME" for any model of timm.
        recipe: training settings.
        data: name of a data set.
        seed: 0 or more; it determines the initial weights, the order of the images and every augmentation.
        init: digest of the weights that training starts from, as `ablation.train.starting.read_start` gives it; "" for newly
            initialised ones.
    """

    architecture: Architecture | str
    recipe: Recipe
    data: str = "digits"
    seed: int = 0
    init: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise AblationError(f"seed {shown(self.seed)} must be a whole number, 0 or more")
        check_number("seed", self.seed, 0, MAX_SEED, whole=True)
        if isinstance(self.architecture, str) and not self.architecture.startswith("timm:"):
            raise AblationError(f"architecture {self.architecture!r} must be an Architecture, or 'timm:NAME'")
        if not isinstance(self.init, str) or not _INIT.fullmatch(self.init):
            raise AblationError(
                f"init {shown(self.init)} must be '' or the digest of a weights file, {INIT_DIGITS} of 0-9a-f"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the trial as plain data that JSON can represent; `from_dict` is the inverse."""
        architecture = self.architecture if isinstance(self.architecture, str) else self.architecture.to_dict()
        recipe = dataclasses.asdict(self.recipe)
        init = {"init": self.init} if self.init else {}
        return {"architecture": architecture, "recipe": recipe, "data": self.data, "seed": self.seed, **init}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Trial:
        """Return the trial that `to_dict` serialised."""
        architecture = data["architecture"]
        if not isinstance(architecture, str):
            architecture = Architecture.from_dict(architecture)
        return cls(architecture, Recipe(**data["recipe"]), data["data"], data["seed"], data.get("init", ""))

    def key(self, data_checksum: str) -> str:
        """Return the hash that identifies this experiment: the trial and its images.

        Only fields that differ from their defaults are hashed. A field that is added later, with a default that changes
        nothing, therefore does not change the keys of earlier trials. A default must never change.

        Args:
            data_checksum: checksum of the data set; it replaces the name of the data set, so that a folder can be moved.
        """
        architecture: dict[str, Any] | str
        if isinstance(self.architecture, str):
            architecture = self.architecture
        else:
            architecture = changed_fields(self.architecture.to_dict(), type(self.architecture))
        recipe = changed_fields(dataclasses.asdict(self.recipe), type(self.recipe))
        return trial_key(architecture, recipe, self.seed, data_checksum, self.init)


def trial_key(
    architecture: dict[str, Any] | str, recipe: dict[str, Any], seed: int, data_checksum: str, init: str = ""
) -> str:
    """Return the key of a trial from plain data, also where a custom layer of the architecture is not registered.

    Args:
        architecture: `changed_fields` of the architecture, or "timm:NAME".
        recipe: `changed_fields` of the recipe.
        seed: seed of the trial.
        data_checksum: as for `Trial.key`.
        init: digest of the weights that training starts from, or "".
    """
    content = {"architecture": architecture, "recipe": recipe, "data": data_checksum, "seed": seed}
    content |= {"init": init} if init else {}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]


def changed_fields(values: Mapping[str, Any], description: type[Architecture | Recipe]) -> dict[str, Any]:
    """Return the fields of a description, as plain data, that differ from their default or have none.

    >>> changed_fields(Architecture(width=96).to_dict(), Architecture)
    {'width': 96}
    """
    defaults = {field.name: field.default for field in dataclasses.fields(description)}
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return {name: value for name, value in plain.items() if name not in defaults or value != defaults[name]}


@dataclass(frozen=True)
class Outcome:
    """Outcome of a trial.

    Args:
        status: "done"; "diverged" if the loss became infinite or NaN; "failed" if the trial could not be completed.
        accuracy: top-1 accuracy on the test images in percent; None unless the status is "done".
        test_loss: mean cross entropy on the test images; None unless the status is "done".
        train_losses: mean training loss of each epoch.
        test_images: number of test images, each evaluated once.
        params: learnt parameters.
        seconds: duration of training and evaluation together.
        images_per_second: training images divided by training time.
        environment: versions, device, threads and commit.
        not_learning: whether the training loss was still at chance level after the first epoch at the full learning rate.
            Such a trial is still trained to the end and kept.
        reason: cause of the divergence, with the learning rate and suggestions, or the traceback of the error; "" if the
            status is "done".
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
        """Return the outcome that `dataclasses.asdict` serialised."""
        return cls(**{**data, "train_losses": tuple(data["train_losses"])})
