"""Training recipes as frozen values, and how the batch of a recipe is divided between devices.

The recipes themselves are in `ablation.design.recipes`.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ..errors import AblationError, check_number, unknown
from .recipe_limits import check_fields, plain


@dataclass(frozen=True)
class Recipe:
    """Training settings: optimizer, schedule, augmentation and regularisation. All defaults are defined here.

    Args:
        name: name of the recipe in tables.
        epochs: passes over the training images.
        batch_size: images per optimizer step, summed over all devices and accumulated parts.
        optimizer: "sgd" (with momentum, no Nesterov) or "adamw".
        lr: learning rate for a batch of `lr_batch` images; it is scaled in proportion to `batch_size`.
        lr_batch: batch size that `lr` refers to.
        momentum: momentum of SGD.
        betas: betas of AdamW.
        weight_decay: weight decay; decoupled for AdamW.
        decay_norms: whether weight decay also applies to norms and biases.
        schedule: "step" (multiply by `decay_rate` every `decay_epochs`) or "cosine" (decay to `min_lr`).
        decay_epochs, decay_rate, min_lr: see `schedule`.
        warmup_epochs: epochs of linear warm-up from 0; the schedule starts after them.
        crop_scale: smallest and largest share of the image area that a random resized crop keeps; None for no such crop.
        shift_px: largest random shift in pixels, filled with zeros; for small images, without `crop_scale` and `randaugment`.
        hflip: probability of a horizontal flip.
        randaugment: RandAugment policy in timm's notation, or "" for none.
        mixup, cutmix: alpha of Mixup and CutMix; 0 disables them.
        random_erasing: probability of random erasing: with noise where `crop_scale` or `randaugment` is set, as in the paper,
            and with the mean colour otherwise.
        label_smoothing: share of the target distributed over all classes.
        drop_path: stochastic depth rate of the last block.
        init_gain: factor of the initial weights that sum over the channels of the network; their standard deviation is 0.02 at
            1, as in the paper. With 2, the square root of 4, a network of a quarter of the width passes on as much of its
            signal as the full one.
        clip_grad: largest norm of the gradient over all weights, or None for no clipping.
        ema: decay of the exponential moving average of the weights, which is then evaluated; None to evaluate the weights
            themselves.
        size: side of the training and test images in pixels, for data sets without a fixed image size. Without `crop_scale`
            the image files must have it.
        crop_pct: share of the test image that the central crop keeps; images of `size` are used whole where the recipe sets
            neither `crop_scale` nor `randaugment`.
        interpolation: interpolation for resizing.

    Raises:
        AblationError: if a value is invalid, or two contradict each other; the message states the given and the possible values.
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
    init_gain: float = 1.0
    clip_grad: float | None = None
    ema: float | None = None
    size: int = 224
    crop_pct: float = 0.875
    interpolation: str = "bicubic"

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name), str(field.type)))
        check_fields(vars(self))

    def replace(self, **changes: Any) -> Recipe:
        """Return a copy with some values changed."""
        names = [field.name for field in dataclasses.fields(self)]
        for name in changes:
            if name not in names:
                raise unknown("field of Recipe", name, names)
        return dataclasses.replace(self, **changes)

    @property
    def effective_lr(self) -> float:
        """Peak learning rate of the schedule for this batch size."""
        if self.batch_size == self.lr_batch:
            return self.lr  # exactly: 0.1 * 3 / 3 is not 0.1
        return self.lr * self.batch_size / self.lr_batch


@dataclass(frozen=True)
class Plan:
    """Batch division and number of steps of a recipe on a given number of devices; `str` formats it as one line.

    Args:
        devices: processes that train in parallel, each on its own share of every batch.
        images: images per device in each forward pass.
        accumulate: parts of a device's share, processed sequentially with accumulated gradients.
        lr: peak learning rate.
        steps_per_epoch: optimizer steps per epoch; an incomplete last batch is dropped.
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
        """Images per optimizer step, summed over all devices and parts."""
        return self.devices * self.images * self.accumulate

    @property
    def steps(self) -> int:
        """Total number of optimizer steps."""
        return self.steps_per_epoch * self.epochs

    def __str__(self) -> str:
        return (
            f"effective batch {self.batch_size} = {self.devices} (devices) x {self.images} (images) x {self.accumulate} "
            f"(accumulated parts), learning rate {self.lr:g}, {self.steps_per_epoch} steps per epoch, {self.steps} in total"
        )


def make_plan(recipe: Recipe, steps_per_epoch: int, devices: int = 1, accumulate: int = 1) -> Plan:
    """Return how the batch of a recipe is divided between devices and accumulated parts.

    Args:
        recipe: the recipe; its `batch_size` is the sum over all devices and parts.
        steps_per_epoch: optimizer steps per epoch on the data set with this recipe.
        devices: processes that train in parallel.
        accumulate: parts into which each device divides its share.

    Raises:
        AblationError: if the batch cannot be divided evenly, the parts are too small for the recipe, or a number is less than 1.

    >>> from ablation.design.recipes import MODERN
    >>> print(make_plan(MODERN, 1_281_167 // MODERN.batch_size, devices=8, accumulate=4))
    effective batch 4096 = 8 (devices) x 128 (images) x 4 (accumulated parts), learning rate 0.004,
    312 steps per epoch, 93600 in total
    """
    for name, value in (("devices", devices), ("accumulate", accumulate)):
        check_number(name, value, 1, whole=True)
    if recipe.batch_size % (devices * accumulate):
        raise AblationError(
            f"batch_size {recipe.batch_size} of recipe {recipe.name!r} does not divide into {devices} processes "
            f"times {accumulate} accumulated parts"
        )
    share = recipe.batch_size // devices
    images = share // accumulate
    if images == 1 and recipe.batch_size > 1:
        raise AblationError(
            f"batch_size {recipe.batch_size} of recipe {recipe.name!r} leaves a single image to each of {devices} processes "
            f"times {accumulate} accumulated parts: batch normalisation needs two or more"
        )
    if share % 2 and (recipe.mixup or recipe.cutmix):
        raise AblationError(
            f"batch_size {recipe.batch_size} of recipe {recipe.name!r} gives each of {devices} processes {share} images: mixup "
            "and cutmix mix pairs of them, so their number must be even"
        )
    return Plan(devices, images, accumulate, recipe.effective_lr, steps_per_epoch, recipe.epochs)
