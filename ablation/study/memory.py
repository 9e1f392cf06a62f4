"""A data set that lies in memory whole, augmented in batches."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import AblationError
from .about import About
from .recipe import Recipe

_TEST_BATCH = 256
_NEEDS_FOLDER = ("crop_scale", "randaugment", "random_erasing")


class InMemory:
    """Images and labels as tensors: (N, C, H, W) float32, normalised by mean and std, and (N,) int64."""

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
        for name in _NEEDS_FOLDER:
            if getattr(recipe, name):
                raise AblationError(
                    f"recipe {recipe.name!r} asks for {name}, which {self.about.name} does not offer: "
                    "use --recipe micro, or --data imagefolder:PATH"
                )
        steps = len(self.train_labels) // recipe.batch_size
        if steps == 0:
            raise AblationError(
                f"batch_size {recipe.batch_size} of recipe {recipe.name!r} is more than the {len(self.train_labels)} "
                f"training images of {self.about.name}"
            )
        return steps

    def train_batches(
        self, recipe: Recipe, seed: int, epoch: int, rank: int, world: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        order = torch.randperm(len(self.train_labels), generator=generator)
        share = recipe.batch_size // world
        for step in range(self.steps_per_epoch(recipe)):
            batch = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            images = _augment(self.train_images[batch], recipe, generator)
            mine = slice(rank * share, (rank + 1) * share)
            yield images[mine], self.train_labels[batch][mine]

    def test_batches(self, recipe: Recipe, rank: int, world: int) -> Iterator[tuple[Tensor, Tensor]]:
        images, labels = self.test_images[rank::world], self.test_labels[rank::world]
        yield from zip(images.split(_TEST_BATCH), labels.split(_TEST_BATCH), strict=True)


def _augment(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Shift and flip, drawn for each image on its own."""
    n, _, height, width = images.shape
    if recipe.shift_px:
        s = recipe.shift_px
        padded = F.pad(images, (s, s, s, s))
        down, right = torch.randint(0, 2 * s + 1, (2, n), generator=generator)
        rows = (down[:, None] + torch.arange(height))[:, None, :, None]  # (N, 1, H, 1)
        columns = (right[:, None] + torch.arange(width))[:, None, None, :]  # (N, 1, 1, W)
        channels = torch.arange(images.shape[1])[None, :, None, None]
        images = padded[torch.arange(n)[:, None, None, None], channels, rows, columns]
    if recipe.hflip:
        flip = torch.rand(n, generator=generator) < recipe.hflip
        images = torch.where(flip[:, None, None, None], images.flip(-1), images)
    return images
