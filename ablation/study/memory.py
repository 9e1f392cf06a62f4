"""A data set that lies in memory whole, augmented in batches.

What is drawn for an image depends on the seed, the epoch and its place in the data set, and on nothing else: not on what ran
before, on how a batch is shared between processes, or on where a resumed run begins.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import AblationError
from .about import About
from .recipe import Recipe

_TEST_BATCH = 256
STREAMED = ("crop_scale", "randaugment")  # what is done to one image after the other, while it is read
_DRAWS = 7  # for each image and epoch: two of the shift, the flip, and four of erasing
_ERASED_AREA, _ERASED_ASPECT = (0.02, 1 / 3), (0.3, 1 / 0.3)  # Zhong et al. 2017, arXiv 1708.04896, as in timm


class InMemory:
    """Images and labels as tensors.

    Args:
        about, checksum: of the data set.
        train_images, test_images: (N, C, H, W), float32 and normalised, or uint8 as they were read.
        train_labels, test_labels: (N,) int64.
        mean, std: one number a channel, of pixels from 0 to 1.
    """

    def __init__(
        self,
        about: About,
        checksum: str,
        train_images: Tensor,
        train_labels: Tensor,
        test_images: Tensor,
        test_labels: Tensor,
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        self.about, self.checksum = about, checksum
        self.mean, self.std = mean, std
        self.train_images, self.train_labels = train_images, train_labels
        self.test_images, self.test_labels = test_images, test_labels

    def steps_per_epoch(self, recipe: Recipe) -> int:
        for name in STREAMED:
            if getattr(recipe, name):
                raise AblationError(
                    f"recipe {recipe.name!r} asks for {name}, which {self.about.name} does not offer: "
                    "use --recipe micro, or --data imagefolder:PATH"
                )
        return whole_batches(len(self.train_labels), recipe, self.about)

    def train_batches(
        self, recipe: Recipe, seed: int, epoch: int, rank: int, world: int, start: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        order = torch.randperm(len(self.train_labels), generator=generator)
        draws = torch.rand(len(order), _DRAWS, generator=generator)
        share = recipe.batch_size // world
        for step in range(start, self.steps_per_epoch(recipe)):
            first = step * recipe.batch_size + rank * share
            mine = order[first : first + share]
            images = _augment(self._ready(self.train_images[mine]), recipe, draws[mine])
            yield images, self.train_labels[mine]

    def test_batches(self, recipe: Recipe, rank: int, world: int) -> Iterator[tuple[Tensor, Tensor]]:
        images, labels = self.test_images[rank::world], self.test_labels[rank::world]
        for some, their in zip(images.split(_TEST_BATCH), labels.split(_TEST_BATCH), strict=True):
            yield self._ready(some), their

    def _ready(self, images: Tensor) -> Tensor:
        """Normalised float32."""
        if images.dtype != torch.uint8:
            return images
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return (images.float() / 255 - mean) / std


def whole_batches(images: int, recipe: Recipe, about: About) -> int:
    """How many batches an epoch has; an incomplete last one is left out.

    Raises:
        AblationError: if there are too few images for one.
    """
    steps = images // recipe.batch_size
    if steps == 0:
        raise AblationError(
            f"batch_size {recipe.batch_size} of recipe {recipe.name!r} is more than the {images} "
            f"training images of {about.name}"
        )
    return steps


def _augment(images: Tensor, recipe: Recipe, draws: Tensor) -> Tensor:
    """Shift, flip and erase, as drawn for each image: (N, _DRAWS), each from 0 to 1."""
    n, channels, height, width = images.shape
    if recipe.shift_px:
        s = recipe.shift_px
        padded = F.pad(images, (s, s, s, s))
        down, right = (draws[:, :2] * (2 * s + 1)).long().clamp_max(2 * s).unbind(1)
        rows = (down[:, None] + torch.arange(height))[:, None, :, None]  # (N, 1, H, 1)
        columns = (right[:, None] + torch.arange(width))[:, None, None, :]  # (N, 1, 1, W)
        channel = torch.arange(channels)[None, :, None, None]
        images = padded[torch.arange(n)[:, None, None, None], channel, rows, columns]
    if recipe.hflip:
        flip = draws[:, 2] < recipe.hflip
        images = torch.where(flip[:, None, None, None], images.flip(-1), images)
    if recipe.random_erasing:
        images = torch.where(_erased(draws[:, 3:], recipe.random_erasing, height, width)[:, None], 0.0, images)
    return images


def _erased(draws: Tensor, probability: float, height: int, width: int) -> Tensor:
    """Which pixels a rectangle covers, (N, H, W). Filled with the mean colour, where timm draws noise."""
    (least, most), (flattest, tallest) = _ERASED_AREA, _ERASED_ASPECT
    chosen = draws[:, 0] < probability
    # What the choice leaves of its draw is as even as another: it gives the area.
    area = (least + (most - least) * (draws[:, 0] / probability).clamp_max(1)) * height * width
    aspect = flattest * (tallest / flattest) ** draws[:, 1]
    tall = (area * aspect).sqrt().round().clamp(1, height)
    wide = (area / aspect).sqrt().round().clamp(1, width)
    top, left = (draws[:, 2] * (height - tall + 1)).floor(), (draws[:, 3] * (width - wide + 1)).floor()
    rows, columns = torch.arange(height), torch.arange(width)
    in_rows = (rows >= top[:, None]) & (rows < (top + tall)[:, None])  # (N, H)
    in_columns = (columns >= left[:, None]) & (columns < (left + wide)[:, None])  # (N, W)
    return chosen[:, None, None] & in_rows[:, :, None] & in_columns[:, None, :]
