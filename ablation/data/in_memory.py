"""A data set that lies in memory whole, augmented in batches.

What is drawn for an image depends on the seed, the epoch and its place in the data set, and on nothing else: not on what ran
before, on how a batch is shared between processes, or on where a resumed run begins.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ..design.recipe import Recipe
from ..errors import AblationError
from .about import DatasetInfo

_TEST_BATCH = 256
STREAMED = ("crop_scale", "randaugment")  # what is done to one image after the other, while it is read
_DRAWS = 7  # for each image and epoch: two of the shift, the flip, and four of erasing
_ERASED_AREA, _ERASED_ASPECT = (0.02, 1 / 3), (0.3, 1 / 0.3)  # Zhong et al. 2017, arXiv 1708.04896, as in timm


class InMemory:
    """Images and labels as tensors.

    Args:
        info, checksum: of the data set.
        train_images, test_images: (N, C, H, W), float32 and normalised, or uint8 as they were read.
        train_labels, test_labels: (N,) int64.
        mean, std: one number a channel, of pixels from 0 to 1.
    """

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
    ) -> None:
        self.info, self.checksum = info, checksum
        self.mean, self.std = mean, std
        self.train_images, self.train_labels = train_images, train_labels
        self.test_images, self.test_labels = test_images, test_labels

    def steps_per_epoch(self, recipe: Recipe) -> int:
        for name in STREAMED:
            if getattr(recipe, name):
                raise AblationError(
                    f"recipe {recipe.name!r} asks for {name}, which {self.info.name} does not offer: "
                    "use --recipe micro, or --data imagefolder:PATH"
                )
        return whole_batches(len(self.train_labels), recipe, self.info)

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
            # index_select copies whole images: indexing takes ten times as long over the bytes of uint8.
            images = _augment(self._ready(self.train_images.index_select(0, mine)), recipe, draws[mine])
            yield images, self.train_labels[mine]

    def test_batches(self, recipe: Recipe, rank: int, world: int) -> Iterator[tuple[Tensor, Tensor]]:
        images, labels = self.test_images[rank::world], self.test_labels[rank::world]
        for some, their in zip(images.split(_TEST_BATCH), labels.split(_TEST_BATCH), strict=True):
            yield self._ready(some), their

    def normalised_by(self, mean: tuple[float, ...], std: tuple[float, ...]) -> InMemory:
        """The same images, normalised by other numbers.

        Raises:
            AblationError: if they lie here normalised already.
        """
        if self.test_images.dtype != torch.uint8:
            raise AblationError(
                f"the images of {self.info.name} are normalised by {self.mean} and {self.std}, and cannot be by {mean} and {std}"
            )
        other = copy.copy(self)
        other.mean, other.std = mean, std
        return other

    def _ready(self, images: Tensor) -> Tensor:
        """Normalised float32."""
        if images.dtype != torch.uint8:
            return images
        mean, std = (torch.tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
        return images.float().div_(255).sub_(mean).div_(std)


def whole_batches(images: int, recipe: Recipe, info: DatasetInfo) -> int:
    """How many batches an epoch has; an incomplete last one is left out.

    Raises:
        AblationError: if there are too few images for one.
    """
    steps = images // recipe.batch_size
    if steps == 0:
        raise AblationError(
            f"batch_size {recipe.batch_size} of recipe {recipe.name!r} is more than the {images} "
            f"training images of {info.name}"
        )
    return steps


def _augment(images: Tensor, recipe: Recipe, draws: Tensor) -> Tensor:
    """Shift, flip and erase in place, as drawn for each image: (N, _DRAWS), each from 0 to 1."""
    _, _, height, width = images.shape
    if recipe.shift_px:
        s = recipe.shift_px
        down, right = (draws[:, :2] * (2 * s + 1)).long().clamp_max(2 * s).unbind(1)
        # A view of every shift of every image, of which one each is copied: an eighth of the time of indices pixel by pixel.
        shifts = F.pad(images, (s, s, s, s)).unfold(2, height, 1).unfold(3, width, 1)  # (N, C, 2s+1, 2s+1, H, W)
        images = shifts[torch.arange(len(images)), :, down, right]  # (N, C, H, W)
    if recipe.hflip:
        flip = draws[:, 2] < recipe.hflip
        images[flip] = images[flip].flip(-1)
    if recipe.random_erasing:
        chosen = (draws[:, 3] < recipe.random_erasing).nonzero()[:, 0]
        rectangles = _rectangles(draws[chosen, 3:], recipe.random_erasing, height, width)
        for i, (top, left, tall, wide) in zip(chosen.tolist(), rectangles.tolist(), strict=True):
            images[i, :, top : top + tall, left : left + wide] = 0.0  # the mean colour, where timm draws noise
    return images


def _rectangles(draws: Tensor, probability: float, height: int, width: int) -> Tensor:
    """What is erased of each image that was chosen for it: top, left, height and width in pixels, (N, 4)."""
    (least, most), (flattest, tallest) = _ERASED_AREA, _ERASED_ASPECT
    # The first draw chose the image by being below the probability. What is left of it is as even as another: it gives the area.
    area = (least + (most - least) * (draws[:, 0] / probability).clamp_max(1)) * height * width
    aspect = flattest * (tallest / flattest) ** draws[:, 1]
    tall = (area * aspect).sqrt().round().clamp(1, height)
    wide = (area / aspect).sqrt().round().clamp(1, width)
    top, left = (draws[:, 2] * (height - tall + 1)).floor(), (draws[:, 3] * (width - wide + 1)).floor()
    return torch.stack([top, left, tall, wide], 1).long()
