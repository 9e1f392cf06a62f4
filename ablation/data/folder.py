"""A data set of image files: train/CLASS/* and val/CLASS/* or test/CLASS/*.

Small images of one size are decoded once and lie in memory; others are streamed, through timm's transforms and torch's loader.
Either way what is drawn for an image depends on the seed, the epoch and its place alone.
"""

from __future__ import annotations

import copy
import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, create_transform
from timm.data.readers.reader_image_folder import find_images_and_targets
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..design.recipe import Recipe
from ..environment import cores
from ..errors import AblationError
from .about import DatasetInfo
from .decoded import decoded
from .in_memory import STREAMED, InMemory, whole_batches
from .selection import Selection

_MOST_WORKERS = 8  # processes that decode images, for each training process
_TEST_BATCH = 64
_MOST_PX, _MOST_BYTES = 64, 2**30  # of a data set that is decoded into memory


class Folder:
    """Images under train/ and val/ or test/, one folder a class.

    Args:
        info: of the data set.
        train, test: folders of class folders.
        classes: their names, in the order of the labels.
        selection: which of the images.

    Raises:
        AblationError: for a class without images, or a selection that is not possible.
    """

    def __init__(self, info: DatasetInfo, train: Path, test: Path, classes: list[str], selection: Selection) -> None:
        self.info = info
        self.mean: tuple[float, ...] = IMAGENET_DEFAULT_MEAN  # as timm's transforms and most weights have it
        self.std: tuple[float, ...] = IMAGENET_DEFAULT_STD
        self._root = train.parent
        files, labels = _listed(train, classes)
        chosen, held_out = selection(labels, info.name)
        self.train_files, self.train_labels = [files[i] for i in chosen], labels[chosen]
        if held_out is None:
            self.test_files, self.test_labels = _listed(test, classes)
        else:
            self.test_files, self.test_labels = [files[i] for i in held_out], labels[held_out]

    @cached_property
    def checksum(self) -> str:
        """Of names and sizes of all files in use; their contents are not read."""
        lines = []
        for split, files in (("train", self.train_files), ("test", self.test_files)):
            # From below train/, val/ or test/, so that the name of the test folder does not count.
            names = ["/".join(path.relative_to(self._root).parts[1:]) for path in files]
            lines += [f"{split} {name} {path.stat().st_size}" for name, path in zip(names, files, strict=True)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def steps_per_epoch(self, recipe: Recipe) -> int:
        return whole_batches(len(self.train_files), recipe, self.info)

    def train_batches(
        self, recipe: Recipe, seed: int, epoch: int, rank: int, world: int, start: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        if self._fits(recipe):
            yield from self._in_memory.train_batches(recipe, seed, epoch, rank, world, start)
            return
        transform = create_transform(
            _size(recipe),
            is_training=True,
            scale=recipe.crop_scale,
            hflip=recipe.hflip,
            color_jitter=None,  # type: ignore[arg-type]
            auto_augment=recipe.randaugment or None,
            re_prob=recipe.random_erasing,
            re_mode="pixel",
            interpolation=recipe.interpolation,
            mean=self.mean,
            std=self.std,
        )
        order = torch.randperm(len(self.train_files), generator=torch.Generator().manual_seed(seed * 100_003 + epoch))
        whole = order[: self.steps_per_epoch(recipe) * recipe.batch_size].view(-1, recipe.batch_size)
        share = recipe.batch_size // world
        mine = whole[start:, rank * share : (rank + 1) * share]
        images = _Images(self.train_files, self.train_labels, transform, (seed, epoch))
        yield from DataLoader(images, batch_sampler=mine.tolist(), num_workers=_workers())

    def test_batches(self, recipe: Recipe, rank: int, world: int) -> Iterator[tuple[Tensor, Tensor]]:
        if self._fits(recipe):
            yield from self._in_memory.test_batches(recipe, rank, world)
            return
        transform = create_transform(
            _size(recipe), interpolation=recipe.interpolation, crop_pct=recipe.crop_pct, mean=self.mean, std=self.std
        )
        # Each image once, whatever the number of processes.
        images = _Images(self.test_files[rank::world], self.test_labels[rank::world], transform)
        yield from DataLoader(images, batch_size=_TEST_BATCH, num_workers=_workers())

    def normalised_by(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Folder:
        """The same images, normalised by other numbers."""
        other = copy.copy(self)
        vars(other).pop("_in_memory", None)
        other.mean, other.std = mean, std
        return other

    def _fits(self, recipe: Recipe) -> bool:
        """The images are as the recipe wants them, and small enough to lie in memory decoded."""
        number = len(self.train_files) + len(self.test_files)
        return (
            not any(getattr(recipe, name) for name in STREAMED)
            and recipe.size <= _MOST_PX
            and number * 3 * recipe.size**2 <= _MOST_BYTES
            and self._first_sizes == {(recipe.size, recipe.size)}
        )

    @cached_property
    def _first_sizes(self) -> set[tuple[int, int]]:
        """Width and height of the first training image of each class."""
        _, first = np.unique(self.train_labels, return_index=True)
        return {_opened(self.train_files[i]).size for i in first}

    @cached_property
    def _in_memory(self) -> InMemory:
        ((size, _),) = self._first_sizes
        images = [torch.from_numpy(decoded(files, size)) for files in (self.train_files, self.test_files)]
        labels = [torch.from_numpy(labels) for labels in (self.train_labels, self.test_labels)]
        return InMemory(
            self.info, self.checksum, images[0], labels[0], images[1], labels[1], mean=self.mean, std=self.std
        )


class _Images(Dataset[tuple[Tensor, int]]):
    """Files, labels and a transform; with a seed and an epoch, each image's draws are its own."""

    def __init__(
        self,
        files: Sequence[Path],
        labels: NDArray[np.int64],
        transform: Callable[[Any], Tensor],
        drawn: tuple[int, int] | None = None,
    ) -> None:
        self.files, self.labels, self.transform, self.drawn = files, labels, transform, drawn

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image = _opened(self.files[i]).convert("RGB")
        if self.drawn is not None:  # timm's transforms draw from all three
            seed = int(np.random.SeedSequence([*self.drawn, i]).generate_state(1)[0])
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
        return self.transform(image), int(self.labels[i])


def _opened(path: Path) -> Image.Image:
    """An image, read whole.

    Raises:
        AblationError: naming the file.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (OSError, ValueError, SyntaxError) as error:  # PIL raises all three for damaged files
        raise AblationError(f"{path} cannot be read as an image: {error}") from None


def _listed(folder: Path, classes: list[str]) -> tuple[list[Path], NDArray[np.int64]]:
    """Image files of all classes with their labels."""
    found, _ = find_images_and_targets(str(folder), class_to_idx={name: i for i, name in enumerate(classes)})
    labels = np.array([label for _, label in found], dtype=np.int64)
    empty = [name for i, name in enumerate(classes) if not (labels == i).any()]
    if empty:
        raise AblationError(f"{folder / empty[0]} holds no image: take the folder away, or put images into it")
    return [Path(path) for path, _ in found], labels


def _size(recipe: Recipe) -> tuple[int, int, int]:
    return (3, recipe.size, recipe.size)


def _workers() -> int:
    return min(_MOST_WORKERS, cores())
