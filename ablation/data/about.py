"""What a data set is, known without loading an image, and what training needs of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..design.recipe import Recipe

if TYPE_CHECKING:
    from torch import Tensor

    Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class DatasetInfo:
    """What a data set is, known without loading an image.

    Args:
        name: as given to `load`.
        size: side of its images in pixels, or None where the recipe decides.
        num_classes, in_chans: of its images.
        note: what results on it can and cannot show; "" for nothing to say.
    """

    name: str
    size: int | None
    num_classes: int
    in_chans: int
    note: str = ""


class Data(Protocol):
    """What training needs of a data set. Batches are (N, C, H, W) float32 and (N,) int64, on the CPU."""

    info: DatasetInfo
    mean: tuple[
        float, ...
    ]  # of the training images, one number a channel, pixels from 0 to 1: images are normalised by these
    std: tuple[float, ...]

    @property
    def checksum(self) -> str:
        """Of the images and labels: another checksum, another experiment."""

    def steps_per_epoch(self, recipe: Recipe) -> int:
        """Optimizer steps in one epoch; an incomplete last batch is left out."""

    def train_batches(
        self, recipe: Recipe, seed: int, epoch: int, rank: int, world: int, start: int = 0
    ) -> Iterator[Batch]:
        """This process's share of the batches of one epoch, from step `start` on; the order depends on seed and epoch alone."""

    def test_batches(self, recipe: Recipe, rank: int, world: int) -> Iterator[Batch]:
        """This process's share of the test images; over all processes, each image once."""

    def normalised_by(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Data:
        """The same images, normalised by other numbers: those that a network was trained with."""
