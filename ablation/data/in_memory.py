"""A data set held in memory and augmented in batches.

The random draws for an image depend only on the seed, the epoch and the index of the image in the data set. They do not depend
on what ran before, on how a batch is split between processes, or on the step at which a resumed run starts.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..design.recipe import Recipe
from ..errors import AblationError
from .about import DatasetInfo
from .epoch_order import draw_order

_TEST_BATCH = 256
_CPU = torch.device("cpu")
STREAMING_FIELDS = ("crop_scale", "randaugment")  # recipe fields applied to single images while they are read
DRAWS = 7  # per image and epoch: two for the shift, one for the flip, four for erasing
_ERASED_AREA, _ERASED_ASPECT = (0.02, 1 / 3), (0.3, 1 / 0.3)  # Zhong et al. 2017, arXiv 1708.04896, as in timm


class InMemory:
    """A data set whose images and labels are tensors.

    Args:
        info: description of the data set.
        checksum: checksum of the images and labels.
        train_images, test_images: (N, C, H, W), normalised float32 or unnormalised uint8.
        train_labels, test_labels: (N,) int64.
        mean, std: one number per channel, for pixels from 0 to 1.
        classes: names of the classes in the order of their labels; None for the numbers themselves.
    """

    orders_differ = False
    remark = ""
    names_checksum = None

    def __init__(
        self,
        info: DatasetInfo,
        checksum: str,
        train_images: Tensor,
        train_labels: Tensor,
        test_images: Tensor,
        test_labels: Tensor,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        classes: tuple[str, ...] | None = None,
    ) -> None:
        self.info, self.checksum = info, checksum
        self.mean, self.std = mean, std
        self.classes = tuple(map(str, range(info.num_classes))) if classes is None else classes
        self.train_images, self.train_labels = train_images, train_labels
        self.test_images, self.test_labels = test_images, test_labels

    def steps_per_epoch(self, recipe: Recipe, parts: int = 1) -> int:
        for name in STREAMING_FIELDS:
            if getattr(recipe, name):
                raise AblationError(
                    f"recipe {recipe.name!r} uses {name}, which {self.info.name} does not support: "
                    "use --recipe micro, or --data imagefolder:PATH"
                )
        return batches_per_epoch(len(self.train_labels), recipe, self.info)

    def train_batches(
        self,
        recipe: Recipe,
        seed: int,
        epoch: int,
        rank: int,
        world: int,
        start: int = 0,
        *,
        parts: int = 1,
        device: torch.device = _CPU,
        workers: int | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        order, draws = draw_epoch(len(self.train_labels), seed, epoch)
        share = recipe.batch_size // world
        for step in range(start, self.steps_per_epoch(recipe)):
            first = step * recipe.batch_size + rank * share
            own = order[first : first + share]
            # index_select copies whole images; indexing uint8 images byte by byte takes ten times as long.
            images = normalised(self.train_images.index_select(0, own), self.mean, self.std)
            images = augment(images, recipe, draws[own])
            pieces = zip(images.chunk(parts), self.train_labels[own].chunk(parts), strict=True)
            yield from ((piece.to(device), labels.to(device)) for piece, labels in pieces)

    def test_batches(
        self, recipe: Recipe, rank: int, world: int, *, device: torch.device = _CPU, workers: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        images, labels = self.test_images[rank::world], self.test_labels[rank::world]
        for batch, batch_labels in zip(images.split(_TEST_BATCH), labels.split(_TEST_BATCH), strict=True):
            yield normalised(batch, self.mean, self.std).to(device), batch_labels.to(device)

    def held_in_memory(self, recipe: Recipe) -> InMemory:
        """Return this data set."""
        return self

    def normalised_by(self, mean: tuple[float, ...], std: tuple[float, ...]) -> InMemory:
        """Return the same images normalised with another mean and deviation.

        Raises:
            AblationError: if the images in memory are already normalised.
        """
        if self.test_images.dtype != torch.uint8:
            raise AblationError(
                f"the images of {self.info.name} are already normalised with mean {self.mean} and deviation {self.std}, "
                f"and cannot be normalised with {mean} and {std}"
            )
        result = copy.copy(self)
        result.mean, result.std = mean, std
        return result

    def evaluated_as(self, config: Mapping[str, Any]) -> InMemory:
        """Return the same images with the mean and deviation of a timm configuration; their size stays as it is."""
        from timm.data import resolve_data_config

        resolved = resolve_data_config({}, pretrained_cfg=dict(config))
        statistics = tuple(resolved["mean"]), tuple(resolved["std"])
        return self if statistics == (self.mean, self.std) else self.normalised_by(*statistics)


def draw_epoch(images: int, seed: int, epoch: int) -> tuple[Tensor, Tensor]:
    """Return the order of the images in an epoch, (images,) int64, and the draws for each image, (images, DRAWS)."""
    order, generator = draw_order(images, seed, epoch)
    return order, torch.rand(images, DRAWS, generator=generator)


def normalised(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Return uint8 images as normalised float32; others are normalised already."""
    if images.dtype != torch.uint8:
        return images
    offset, scale = (torch.tensor(values).view(1, -1, 1, 1) for values in (mean, std))
    return images.float().div_(255).sub_(offset).div_(scale)


def batches_per_epoch(images: int, recipe: Recipe, info: DatasetInfo) -> int:
    """Return the number of complete batches per epoch; an incomplete last batch is dropped.

    Raises:
        AblationError: if there are too few images for one batch.
    """
    steps = images // recipe.batch_size
    if steps == 0:
        raise AblationError(
            f"batch_size {recipe.batch_size} of recipe {recipe.name!r} is larger than the {images} "
            f"training images of {info.name}"
        )
    return steps


def augment(images: Tensor, recipe: Recipe, draws: Tensor) -> Tensor:
    """Shift, flip and erase images, which may be modified in place.

    Args:
        images: (N, C, H, W), normalised.
        recipe: its `shift_px`, `hflip` and `random_erasing` are applied.
        draws: (N, DRAWS), from 0 to 1.
    """
    _, _, height, width = images.shape
    down, right, flip, *rectangle = decide(draws, recipe, height, width).unbind(1)
    if recipe.shift_px:
        s = recipe.shift_px
        # `shifts` is a view of all shifts of each image; one per image is copied. Indexing pixel by pixel takes 8 times as long.
        shifts = F.pad(images, (s, s, s, s)).unfold(2, height, 1).unfold(3, width, 1)  # (N, C, 2s+1, 2s+1, H, W)
        images = shifts[torch.arange(len(images)), :, down, right]  # (N, C, H, W)
    if recipe.hflip:
        flipped = flip.bool()
        images[flipped] = images[flipped].flip(-1)
    if recipe.random_erasing:
        rectangles = torch.stack(rectangle, 1)
        chosen = rectangles[:, 2].nonzero()[:, 0]
        for i, (top, left, tall, wide) in zip(chosen.tolist(), rectangles[chosen].tolist(), strict=True):
            images[i, :, top : top + tall, left : left + wide] = 0.0  # the mean colour
    return images


def decide(draws: Tensor, recipe: Recipe, height: int, width: int) -> Tensor:
    """Return what happens to each image: shift down, shift right, flip, and the rectangle to erase, all whole numbers.

    Args:
        draws: (N, DRAWS), from 0 to 1.
        recipe: its `shift_px`, `hflip` and `random_erasing` are applied.
        height, width: of the images in pixels.

    Returns:
        (N, DRAWS) int64: shifts down and right in pixels plus `shift_px`, so from 0; 1 for a flip; top, left, height and width
        of the rectangle, which is empty if nothing is erased.
    """
    nothing = torch.zeros(len(draws), dtype=torch.int64)
    shifts, flip = [nothing, nothing], nothing
    rectangles = nothing[:, None].expand(-1, 4)
    if recipe.shift_px:
        s = recipe.shift_px
        shifts = list((draws[:, :2] * (2 * s + 1)).long().clamp_max(2 * s).unbind(1))
    if recipe.hflip:
        flip = (draws[:, 2] < recipe.hflip).long()
    if recipe.random_erasing:
        chosen = draws[:, 3] < recipe.random_erasing
        rectangles = _rectangles(draws[:, 3:], recipe.random_erasing, height, width) * chosen[:, None]
    return torch.stack([*shifts, flip, *rectangles.unbind(1)], 1)


def _rectangles(draws: Tensor, probability: float, height: int, width: int) -> Tensor:
    """Return the rectangle to erase in each image, if it is selected: top, left, height and width in pixels, (N, 4)."""
    (least, most), (flattest, tallest) = _ERASED_AREA, _ERASED_ASPECT
    # An image is selected if its first draw is below the probability. Given that, draw / probability is uniform on
    # [0, 1), so it can be reused for the area.
    area = (least + (most - least) * (draws[:, 0] / probability).clamp_max(1)) * height * width
    aspect = flattest * (tallest / flattest) ** draws[:, 1]
    tall = (area * aspect).sqrt().round().clamp(1, height)
    wide = (area / aspect).sqrt().round().clamp(1, width)
    top, left = (draws[:, 2] * (height - tall + 1)).floor(), (draws[:, 3] * (width - wide + 1)).floor()
    return torch.stack([top, left, tall, wide], 1).long()
