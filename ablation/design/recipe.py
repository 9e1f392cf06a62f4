"""Training recipes as frozen values: the two of the paper, complete, and small ones of our own.

ORIGINAL and MODERN are the paper's (Liu et al. 2022, arXiv 2201.03545; MODERN is its Table 5, ORIGINAL is what
ResNet-50's 76.13 was trained with, that of torchvision). Everything under another name is ours, each value with its
reason, and never called the paper's.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..errors import AblationError, unknown


@dataclass(frozen=True)
class Recipe:
    """How to train: optimizer, schedule, augmentation, regularisation. The only place for these values.

    Args:
        name: what tables call it.
        epochs: passes over the training images.
        batch_size: images per optimizer step, over all devices and accumulated batches together.
        optimizer: "sgd" (with momentum, no Nesterov) or "adamw".
        lr: learning rate for a batch of `lr_batch` images; it scales in proportion to `batch_size`.
        lr_batch: the batch that `lr` is meant for.
        momentum: of SGD.
        betas: of AdamW.
        weight_decay: decoupled for AdamW.
        decay_norms: whether norms and biases decay too.
        schedule: "step" (times `decay_rate` every `decay_epochs`) or "cosine" (to `min_lr`).
        decay_epochs, decay_rate, min_lr: see `schedule`.
        warmup_epochs: of linear rise from 0; the schedule starts after them.
        crop_scale: share of the image's area that a random resized crop keeps, least and most; None for no such crop.
        shift_px: random shift by up to so many pixels, with zeros coming in; for small images.
        hflip: probability of a horizontal flip.
        randaugment: timm's name of a RandAugment policy, or "" for none.
        mixup, cutmix: their alpha; 0 for none.
        random_erasing: probability.
        label_smoothing: share of the target spread over all classes.
        drop_path: stochastic depth rate of the last block.
        clip_grad: largest norm of the gradient of all weights together, or None to leave it as it is.
        ema: decay of the exponential average of the weights that is evaluated, or None to evaluate the weights themselves.
        size: side of the training and test images in pixels, for data that has no size of its own.
        crop_pct: the test image is the central crop of this share.
        interpolation: of resizing.
    """

    name: str
    epochs: int
    batch_size: int
    optimizer: str
    lr: float
    lr_batch: int
    momentum: float = 0.9
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    decay_norms: bool = False
    schedule: str = "cosine"
    decay_epochs: int = 30
    decay_rate: float = 0.1
    min_lr: float = 1e-6
    warmup_epochs: int = 0
    crop_scale: tuple[float, float] | None = None
    shift_px: int = 0
    hflip: float = 0.0
    randaugment: str = ""
    mixup: float = 0.0
    cutmix: float = 0.0
    random_erasing: float = 0.0
    label_smoothing: float = 0.0
    drop_path: float = 0.0
    clip_grad: float | None = None
    ema: float | None = None
    size: int = 224
    crop_pct: float = 0.875
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        if self.optimizer not in ("sgd", "adamw"):
            raise unknown("optimizer", self.optimizer, ("sgd", "adamw"))
        if self.schedule not in ("step", "cosine"):
            raise unknown("schedule", self.schedule, ("step", "cosine"))
        for name in ("epochs", "batch_size", "lr_batch", "size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise AblationError(f"{name} {value!r} of recipe {self.name!r} must be a positive whole number")
        if self.warmup_epochs >= self.epochs and self.warmup_epochs:
            raise AblationError(
                f"warmup_epochs {self.warmup_epochs} of recipe {self.name!r} must be less than its {self.epochs} epochs"
            )
        if self.clip_grad is not None and not self.clip_grad > 0:
            raise AblationError(f"clip_grad {self.clip_grad!r} of recipe {self.name!r} must be positive, or None")
        if not self.lr > 0:
            raise AblationError(f"lr {self.lr!r} of recipe {self.name!r} must be positive")
        for name in ("betas", "crop_scale"):  # tuples also after a round trip through JSON
            if getattr(self, name) is not None:
                object.__setattr__(self, name, tuple(map(float, getattr(self, name))))
        for field in dataclasses.fields(self):  # 0 and 0.0 are the same recipe, in JSON too
            value = getattr(self, field.name)
            if str(field.type).startswith("float") and type(value) is int:
                object.__setattr__(self, field.name, float(value))

    def replace(self, **changes: Any) -> Recipe:
        """The same recipe with some values changed."""
        names = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in names:
                raise unknown("field of Recipe", name, names)
        return dataclasses.replace(self, **changes)

    @property
    def effective_lr(self) -> float:
        """The learning rate at the top of the schedule, for this batch size."""
        return self.lr * self.batch_size / self.lr_batch


@dataclass(frozen=True)
class Plan:
    """What a recipe comes to on so many devices; as text, one line.

    Args:
        devices: processes that train together, each on its own share of every batch.
        images: on a device at a time.
        accumulate: parts in which a device takes its share, one after the other.
        lr: at the top of the schedule.
        steps_per_epoch: optimizer steps; an incomplete last batch is left out.
        epochs: passes over the training images.
    """

    devices: int
    images: int
    accumulate: int
    lr: float
    steps_per_epoch: int
    epochs: int

    @property
    def batch_size(self) -> int:
        """Images per optimizer step, over all devices and parts together."""
        return self.devices * self.images * self.accumulate

    @property
    def steps(self) -> int:
        """Optimizer steps in all."""
        return self.steps_per_epoch * self.epochs

    def __str__(self) -> str:
        return (
            f"effective batch {self.batch_size} = {self.devices} (devices) x {self.images} (images) x {self.accumulate} "
            f"(accumulated parts), learning rate {self.lr:g}, {self.steps_per_epoch} steps an epoch, {self.steps} in all"
        )


def make_plan(recipe: Recipe, steps_per_epoch: int, devices: int = 1, accumulate: int = 1) -> Plan:
    """How a recipe's batch is shared between devices and accumulated parts.

    >>> print(make_plan(MODERN, 1_281_167 // MODERN.batch_size, devices=8, accumulate=4))
    effective batch 4096 = 8 (devices) x 128 (images) x 4 (accumulated parts), learning rate 0.004,
    312 steps an epoch, 93600 in all

    Args:
        recipe: whose `batch_size` is that of all devices and parts together.
        steps_per_epoch: as the data set says for this recipe.
        devices: processes that train together.
        accumulate: parts in which each takes its share.

    Returns:
        A `Plan`.

    Raises:
        AblationError: if the batch does not divide into devices and parts, or there are no parts.
    """
    if accumulate < 1:
        raise AblationError(f"accumulate {accumulate} must be 1 or more")
    if recipe.batch_size % (devices * accumulate):
        raise AblationError(
            f"batch_size {recipe.batch_size} of recipe {recipe.name!r} does not divide into {devices} processes "
            f"times {accumulate} accumulated parts"
        )
    images = recipe.batch_size // (devices * accumulate)
    return Plan(devices, images, accumulate, recipe.effective_lr, steps_per_epoch, recipe.epochs)
