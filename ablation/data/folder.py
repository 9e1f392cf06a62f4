"""A data set of image files in train/CLASS/* and val/CLASS/* or test/CLASS/*.

Small images of the same size are decoded once and held in memory. Others are streamed through timm's transforms and torch's
DataLoader. In both cases the random draws for an image depend only on the seed, the epoch and the index of the image.
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
from .class_order import orders_differ
from .decoded import load_decoded
from .in_memory import STREAMING_FIELDS, InMemory, batches_per_epoch
from .selection import Selection

_MAX_WORKERS = 8  # processes that decode images, per training process
_TEST_BATCH = 64
_MAX_PX, _MAX_BYTES = 64, 2**30  # image side and total size of a data set that is decoded into memory


class Folder:
    """Images under train/ and val/ or test/, with one folder per class.

    Args:
        info: description of the data set.
        train, test: folders that hold the class folders.
        classes: names of the class folders, in the order of the labels. The selection does not depend on the order.
        selection: the subset of the images to use.

    Raises:
        AblationError: if a class has no images, or the selection is not possible.
    """

    def __init__(
        self, info: DatasetInfo, train: Path, test: Path, classes: tuple[str, ...], selection: Selection
    ) -> None:
        self.info, self.classes = info, classes
        self.orders_differ = orders_differ(classes)
        # The defaults of timm's transforms, which most pretrained weights use too.
        self.mean: tuple[float, ...] = IMAGENET_DEFAULT_MEAN
        self.std: tuple[float, ...] = IMAGENET_DEFAULT_STD
        self._root = train.parent
        known = sorted(classes)
        files, numbers = _list_images(train, known)
        label_of = np.array([classes.index(name) for name in known])
        chosen, held_out = selection(numbers, info.name)
        self.train_files, self.train_labels = [files[i] for i in chosen], label_of[numbers[chosen]]
        if held_out is None:
            self.test_files, numbers = _list_images(test, known)
            self.test_labels = label_of[numbers]
        else:
            self.test_files, self.test_labels = [files[i] for i in held_out], label_of[numbers[held_out]]

    @cached_property
    def checksum(self) -> str:
        """Checksum of the names and sizes of all files in use; their contents are not read."""
        lines = []
        for split, files in (("train", self.train_files), ("test", self.test_files)):
            # Relative to train/, val/ or test/, so that the name of the test folder does not affect the checksum.
            names = ["/".join(path.relative_to(self._root).parts[1:]) for path in files]
            lines += [f"{split} {name} {path.stat().st_size}" for name, path in zip(names, files, strict=True)]
        if list(self.classes) != sorted(self.classes):
            lines.append(f"classes {self.classes}")
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def steps_per_epoch(self, recipe: Recipe) -> int:
        return batches_per_epoch(len(self.train_files), recipe, self.info)

    def train_batches(
        self, recipe: Recipe, seed: int, epoch: int, rank: int, world: int, start: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        if self._fits_in_memory(recipe):
            yield from self._in_memory.train_batches(recipe, seed, epoch, rank, world, start)
            return
        transform = create_transform(
            _input_size(recipe),
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
        batches = order[: self.steps_per_epoch(recipe) * recipe.batch_size].view(-1, recipe.batch_size)
        share = recipe.batch_size // world
        own = batches[start:, rank * share : (rank + 1) * share]
        images = _Images(self.train_files, self.train_labels, transform, (seed, epoch))
        yield from DataLoader(images, batch_sampler=own.tolist(), num_workers=_num_workers())

    def test_batches(self, recipe: Recipe, rank: int, world: int) -> Iterator[tuple[Tensor, Tensor]]:
        if self._fits_in_memory(recipe):
            yield from self._in_memory.test_batches(recipe, rank, world)
            return
        transform = create_transform(
            _input_size(recipe),
            interpolation=recipe.interpolation,
            crop_pct=recipe.crop_pct,
            mean=self.mean,
            std=self.std,
        )
        # Each image occurs once for any number of processes.
        images = _Images(self.test_files[rank::world], self.test_labels[rank::world], transform)
        yield from DataLoader(images, batch_size=_TEST_BATCH, num_workers=_num_workers())

    def normalised_by(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Folder:
        """Return the same images normalised with another mean and deviation."""
        result = copy.copy(self)
        vars(result).pop("_in_memory", None)
        result.mean, result.std = mean, std
        return result

    def _fits_in_memory(self, recipe: Recipe) -> bool:
        """Return whether the images have the recipe's size and are small enough to be held in memory decoded."""
        number = len(self.train_files) + len(self.test_files)
        return (
            not any(getattr(recipe, name) for name in STREAMING_FIELDS)
            and recipe.size <= _MAX_PX
            and number * 3 * recipe.size**2 <= _MAX_BYTES
            and self._first_sizes == {(recipe.size, recipe.size)}
        )

    @cached_property
    def _first_sizes(self) -> set[tuple[int, int]]:
        """Return the distinct (width, height) of the first training image of each class."""
        _, first = np.unique(self.train_labels, return_index=True)
        return {_open_image(self.train_files[i]).size for i in first}

    @cached_property
    def _in_memory(self) -> InMemory:
        ((size, _),) = self._first_sizes
        images = [torch.from_numpy(load_decoded(files, size)) for files in (self.train_files, self.test_files)]
        labels = [torch.from_numpy(labels) for labels in (self.train_labels, self.test_labels)]
        return InMemory(
            self.info, self.checksum, images[0], labels[0], images[1], labels[1], mean=self.mean, std=self.std
        )


class _Images(Dataset[tuple[Tensor, int]]):
    """Image files, labels and a transform. Given (seed, epoch), the generators are seeded separately for each image."""

    def __init__(
        self,
        files: Sequence[Path],
        labels: NDArray[np.int64],
        transform: Callable[[Any], Tensor],
        seed_and_epoch: tuple[int, int] | None = None,
    ) -> None:
        self.files, self.labels, self.transform = files, labels, transform
        self.seed_and_epoch = seed_and_epoch

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        image = _open_image(self.files[i]).convert("RGB")
        if self.seed_and_epoch is not None:  # timm's transforms draw from all three generators
            seed = int(np.random.SeedSequence([*self.seed_and_epoch, i]).generate_state(1)[0])
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
        return self.transform(image), int(self.labels[i])


def _open_image(path: Path) -> Image.Image:
    """Return an image, fully loaded.

    Raises:
        AblationError: if the file cannot be read as an image; the message names the file.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except (OSError, ValueError, SyntaxError) as error:  # PIL raises any of these for damaged files
        raise AblationError(f"{path} cannot be read as an image: {error}") from None


def _list_images(folder: Path, classes: list[str]) -> tuple[list[Path], NDArray[np.int64]]:
    """Return the image files of all classes and their labels."""
    found, _ = find_images_and_targets(str(folder), class_to_idx={name: i for i, name in enumerate(classes)})
    labels = np.array([label for _, label in found], dtype=np.int64)
    empty = [name for i, name in enumerate(classes) if not (labels == i).any()]
    if empty:
        raise AblationError(f"{folder / empty[0]} contains no images: remove the folder, or add images to it")
    return [Path(path) for path, _ in found], labels


def _input_size(recipe: Recipe) -> tuple[int, int, int]:
    return (3, recipe.size, recipe.size)


def _num_workers() -> int:
    return min(_MAX_WORKERS, cores())
