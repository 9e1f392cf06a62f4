"""The description of a data set, available without loading images, and the interface that training requires."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..design.recipe import Recipe

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from .in_memory import InMemory

    Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class DatasetInfo:
    """Description of a data set, available without loading images.

    Args:
        name: the name given to `load`.
        size: side of the images in pixels, or None if the recipe sets it.
        num_classes: number of classes.
        in_chans: number of channels of the images.
        note: what results on this data set can and cannot show; "" if there is nothing to note.
    """

    name: str
    size: int | None
    num_classes: int
    in_chans: int
    note: str = ""


class Data(Protocol):
    """Interface that training requires of a data set. Batches are (N, C, H, W) float32 and (N,) int64."""

    info: DatasetInfo
    # Mean and standard deviation of the training images per channel, for pixels from 0 to 1; images are normalised with them.
    mean: tuple[float, ...]
    std: tuple[float, ...]
    # Names of the classes in the order of their labels.
    classes: tuple[str, ...]

    @property
    def names_checksum(self) -> str | None:
        """Checksum by which ablation 0.2 and earlier knew a folder, of names and sizes only; None for other data."""

    @property
    def remark(self) -> str:
        """What of the files is not used and why, and whether the checksum covers only a sample; "" if there is nothing."""

    @property
    def orders_differ(self) -> bool:
        """Whether torchvision and timm would label these classes differently; False where the labels are fixed."""

    @property
    def checksum(self) -> str:
        """Checksum of the images and labels. Trials on data with different checksums are different experiments."""

    def steps_per_epoch(self, recipe: Recipe, parts: int = 1) -> int:
        """Return the number of optimizer steps per epoch; an incomplete last batch is dropped.

        Args:
            recipe: of the training.
            parts: as for `train_batches`; the memory for them is checked.
        """

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
        device: torch.device = ...,
        workers: int | None = None,
    ) -> Iterator[Batch]:
        """Yield this process's share of each batch of one epoch, from step `start` on.

        The order of the images depends only on the seed and the epoch, and what is drawn for an image only on these and its
        index: neither on the number of processes, parts and workers nor on the device.

        Args:
            recipe, seed, epoch: of the training.
            rank, world: number of this process, and how many there are.
            start: first step.
            parts: number of parts into which each share is split. They follow each other: the first step's, the second's.
            device: where the batches are to be; the CPU by default. Files are sent there as pixels of 8 bits.
            workers: processes that read files; None for as many as the cores and the memory allow. No effect in memory.
        """

    def test_batches(
        self, recipe: Recipe, rank: int, world: int, *, device: torch.device = ..., workers: int | None = None
    ) -> Iterator[Batch]:
        """Yield this process's share of the test images. Across all processes, each image occurs exactly once."""

    def held_in_memory(self, recipe: Recipe) -> InMemory | None:
        """Return the images as tensors in memory, or None if this recipe streams them from files."""

    def normalised_by(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Data:
        """Return the same images normalised with another mean and deviation, such as those a network was trained with."""

    def evaluated_as(self, config: Mapping[str, Any]) -> Data:
        """Return the same images with the test images prepared as timm does for a model with that `pretrained_cfg`.

        Size, interpolation, share and kind of the crop, mean and deviation are those of `timm.data.resolve_data_config`.
        Images of a fixed size, such as those of CIFAR, keep it; they are only normalised.
        """
