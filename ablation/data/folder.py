"""A data set of image files in train/CLASS/* and val/CLASS/* or test/CLASS/*.

What happens to an image is decided by the recipe alone:

- Without `crop_scale` and `randaugment`, all images must have the recipe's size. They are shifted, flipped and erased with the
  mean colour, as in the data sets held in memory. Small ones are decoded once and held in memory, others are streamed; both
  give the same batches.
- With either, images are streamed through timm's training transforms: random resized crop, flip, RandAugment, and random
  erasing with noise, as in the paper. Without `crop_scale` nothing is cropped, so the images must have the recipe's size.

The random draws for an image depend only on the seed, the epoch and the index of the image.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..design.recipe import Recipe
from ..errors import AblationError
from ..pictures import printable, read_size
from .about import DatasetInfo
from .chunks import CHUNK, CPU, Workers, stream
from .class_folders import describe, find_images
from .class_order import orders_differ
from .contents import SAMPLE, contents_checksum, is_sampled, names_checksum
from .decoded import load_decoded
from .epoch_order import draw_order, own_parts
from .in_memory import DRAWS, STREAMING_FIELDS, InMemory, augment, batches_per_epoch
from .once import once_per_machine
from .prepared import Prepared
from .selection import Selection
from .streamed import ImageFiles, check_memory, decoded_bytes, pixels
from .training_transform import training_transform

_TEST_BATCH = 64
_MAX_PX, _MAX_BYTES = 64, 2**30  # image side and total size of a data set that is decoded into memory
_HEADERS = 500  # files whose size is looked up for the forecast of the memory


class Folder(Prepared):
    """Images under train/ and val/ or test/, with one folder per class.

    Args:
        info: description of the data set.
        train, test: folders that hold the class folders.
        classes: names of the class folders, in the order of the labels. The selection does not depend on the order.
        selection: the subset of the images to use.

    Raises:
        AblationError: if a class has no images, the class of an image is ambiguous, or the selection is not possible.
    """

    def __init__(
        self, info: DatasetInfo, train: Path, test: Path, classes: tuple[str, ...], selection: Selection
    ) -> None:
        self.info, self.classes = info, classes
        self.orders_differ = orders_differ(classes)
        self._root, self._workers = train.parent, Workers()
        known = sorted(classes)
        label_of = np.array([classes.index(name) for name in known])
        found, found_test = find_images(train, known), find_images(test, known)
        self._skipped = found.skipped + found_test.skipped
        files, numbers = found.files, found.labels
        chosen, held_out = selection(numbers, info.name)
        self.train_files, self.train_labels = files.take(chosen), label_of[numbers[chosen]]
        if held_out is None:
            self.test_files, self.test_labels = found_test.files, label_of[found_test.labels]
        else:
            self.test_files, self.test_labels = files.take(held_out), label_of[numbers[held_out]]

    @cached_property
    def checksum(self) -> str:
        """Checksum of the names, labels and contents of all files in use; for large sets of a sample of the contents."""
        return once_per_machine(
            f"checksum {self.info.name} {self.classes}",
            lambda: contents_checksum(self._root, self._splits, self.classes),
        )

    @cached_property
    def names_checksum(self) -> str | None:
        """Checksum of names and sizes alone, by which ablation 0.2 and earlier knew the folder.

        If it equals that of a stored trial, the images may be those of that trial; their contents cannot be compared. None if
        the classes are in another order than theirs.
        """
        return names_checksum(self._root, self._splits) if list(self.classes) == sorted(self.classes) else None

    @cached_property
    def remark(self) -> str:
        """What is not used and why, and whether the checksum covers only a sample; "" if there is nothing to say."""
        parts = []
        if self._skipped:
            used = f"{len(self.train_files)} training and {len(self.test_files)} test images in {len(self.classes)} classes"
            parts.append(f"{used}; skipped: {describe(self._skipped)}")
        if is_sampled(self._splits):
            parts.append(
                f"the checksum covers the contents of about {SAMPLE} files, and the names, sizes and times of all: a file "
                "that was changed without changing its size or its time can go unnoticed"
            )
        return f"{printable(self.info.name)}: {'; '.join(parts)}" if parts else ""

    @property
    def _splits(self) -> dict[str, Sequence[Path]]:
        return {"train": self.train_files, "test": self.test_files}

    def steps_per_epoch(self, recipe: Recipe, parts: int = 1) -> int:
        steps = self._steps(recipe)
        # Here only: not in the middle of a training.
        check_memory(recipe.batch_size, recipe.size, self._largest, recipe.name, parts)
        return steps

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
        device: torch.device = CPU,
        workers: int | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        self._steps(recipe)  # raises if the recipe cannot be applied
        if self._fits_in_memory(recipe):
            yield from self._in_memory.train_batches(
                recipe, seed, epoch, rank, world, start, parts=parts, device=device
            )
            return
        order, generator = draw_order(len(self.train_files), seed, epoch)
        pieces = own_parts(order, recipe, start, rank, world, parts)
        plain = _is_plain(recipe)
        if plain:
            draws = torch.rand(len(order), DRAWS, generator=generator)  # as in `InMemory`
            images = ImageFiles(self.train_files, self.train_labels, pixels, recipe.size)
        else:
            transform, erasing = training_transform(recipe, self.mean, self.std)
            side = None if recipe.crop_scale else recipe.size
            images = ImageFiles(self.train_files, self.train_labels, transform, side, erasing)
        kind = (recipe, self.mean, self.std)
        batches = stream(
            images,
            pieces,
            3 * recipe.size**2 + decoded_bytes(self._largest) // CHUNK,
            (self.mean, self.std),
            None if plain else (seed, epoch),
            device=device,
            workers=workers,
            keep=(self._workers, kind),
        )
        for indices, (batch, labels) in zip(pieces, batches, strict=True):
            yield augment(batch, recipe, draws[indices].to(device)) if plain else batch, labels

    def test_batches(
        self, recipe: Recipe, rank: int, world: int, *, device: torch.device = CPU, workers: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        # Each image occurs once for any number of processes.
        own = np.arange(rank, len(self.test_files), world)
        batches = [own[i : i + _TEST_BATCH].tolist() for i in range(0, len(own), _TEST_BATCH)]
        if self._config is None and self._is_used_whole(recipe):
            if self._fits_in_memory(recipe):
                yield from self._in_memory.test_batches(recipe, rank, world, device=device)
                return
            images = ImageFiles(self.test_files, self.test_labels, pixels, recipe.size)
            numbers = 3 * recipe.size**2
        else:
            transform, shape = self.test_transform(recipe)
            images = ImageFiles(self.test_files, self.test_labels, transform)
            numbers = math.prod(shape)
        size = numbers + decoded_bytes(self._largest) // CHUNK
        yield from stream(images, batches, size, (self.mean, self.std), device=device, workers=workers)

    def _steps(self, recipe: Recipe) -> int:
        """Return the number of steps per epoch, after checking that the recipe can be applied to these images."""
        if recipe.shift_px and not _is_plain(recipe):
            raise AblationError(
                f"recipe {recipe.name!r} sets shift_px and {' and '.join(_streaming(recipe))}, but images are shifted only "
                "where nothing crops or changes them one by one: set shift_px=0"
            )
        if not recipe.crop_scale and (other := self._other_size(recipe.size)):
            raise AblationError(
                f"recipe {recipe.name!r} crops no images (crop_scale), so all must have its size of {recipe.size} x "
                f"{recipe.size} pixels, but {other}: resize the images, set size to theirs, or use --recipe paper"
            )
        return batches_per_epoch(len(self.train_files), recipe, self.info)

    def _is_used_whole(self, recipe: Recipe) -> bool:
        """Return whether the recipe takes whole images, without crops, and all have its size."""
        return _is_plain(recipe) and not self._other_size(recipe.size)

    def held_in_memory(self, recipe: Recipe) -> InMemory | None:
        """Return the images as held in memory, or None if they are streamed with this recipe."""
        return self._in_memory if self._fits_in_memory(recipe) else None

    def _fits_in_memory(self, recipe: Recipe) -> bool:
        """Return whether the images have the recipe's size and are small enough to be held in memory decoded."""
        number = len(self.train_files) + len(self.test_files)
        return self._is_used_whole(recipe) and recipe.size <= _MAX_PX and number * 3 * recipe.size**2 <= _MAX_BYTES

    def _other_size(self, side: int) -> str:
        """Return a description of the first image looked at that has another size; "" if there is none."""
        for file, size in self._first_sizes.items():
            if size != (side, side):
                return f"{printable(file)} has {size[0]} x {size[1]}"
        return ""

    @cached_property
    def _first_sizes(self) -> dict[Path, tuple[int, int]]:
        """Return the width and height of the first training and test image of each class."""
        first: dict[Path, tuple[int, int]] = {}
        for files, labels in ((self.train_files, self.train_labels), (self.test_files, self.test_labels)):
            first |= {files[i]: read_size(files[i]) for i in np.unique(labels, return_index=True)[1]}
        return first

    @cached_property
    def _largest(self) -> tuple[int, int]:
        """Return the size of the image with the most pixels among up to `_HEADERS` files, spread evenly."""
        train, test = self.train_files, self.test_files
        step = max(1, (len(train) + len(test)) // _HEADERS)
        chosen = itertools.chain(train[::step], test[::step])
        return max((read_size(file) for file in chosen), key=lambda size: size[0] * size[1])

    @cached_property
    def _in_memory(self) -> InMemory:
        (side, _), *_ = self._first_sizes.values()
        images = [torch.from_numpy(load_decoded(files, side)) for files in (self.train_files, self.test_files)]
        labels = [torch.from_numpy(labels) for labels in (self.train_labels, self.test_labels)]
        return InMemory(
            self.info, self.checksum, images[0], labels[0], images[1], labels[1], self.mean, self.std, self.classes
        )


def _streaming(recipe: Recipe) -> list[str]:
    return [name for name in STREAMING_FIELDS if getattr(recipe, name)]


def _is_plain(recipe: Recipe) -> bool:
    """Return whether images are used whole: shifted, flipped and erased, but not cropped or changed one by one."""
    return not _streaming(recipe)
