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

import copy
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, create_transform, resolve_data_config
from torch import Tensor

from ..design.recipe import Recipe
from ..errors import AblationError
from ..pictures import printable, read_size
from .about import DatasetInfo
from .class_folders import describe, find_images
from .class_order import orders_differ
from .contents import SAMPLE, contents_checksum, is_sampled, names_checksum
from .decoded import load_decoded
from .in_memory import DRAWS, STREAMING_FIELDS, InMemory, augment, batches_per_epoch, normalised
from .selection import Selection
from .streamed import ImageFiles, check_memory, decoded_bytes, pixels, stream

_TEST_BATCH = 64
_MAX_PX, _MAX_BYTES = 64, 2**30  # image side and total size of a data set that is decoded into memory
_HEADERS = 500  # files whose size is looked up for the forecast of the memory


class Folder:
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
        # The defaults of timm's transforms, which most pretrained weights use too.
        self.mean: tuple[float, ...] = IMAGENET_DEFAULT_MEAN
        self.std: tuple[float, ...] = IMAGENET_DEFAULT_STD
        self._config: dict[str, Any] | None = None
        self._root = train.parent
        known = sorted(classes)
        label_of = np.array([classes.index(name) for name in known])
        found, found_test = find_images(train, known), find_images(test, known)
        self._skipped = found.skipped + found_test.skipped
        files, numbers = found.files, found.labels
        chosen, held_out = selection(numbers, info.name)
        self.train_files, self.train_labels = [files[i] for i in chosen], label_of[numbers[chosen]]
        if held_out is None:
            self.test_files, self.test_labels = found_test.files, label_of[found_test.labels]
        else:
            self.test_files, self.test_labels = [files[i] for i in held_out], label_of[numbers[held_out]]

    @cached_property
    def checksum(self) -> str:
        """Checksum of the names, labels and contents of all files in use; for large sets of a sample of the contents."""
        return contents_checksum(self._root, self._splits, self.classes)

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
    def _splits(self) -> dict[str, list[Path]]:
        return {"train": self.train_files, "test": self.test_files}

    def steps_per_epoch(self, recipe: Recipe) -> int:
        steps = self._steps(recipe)
        check_memory(
            recipe.batch_size, recipe.size, self._largest, recipe.name
        )  # here only: not in the middle of a training
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
        workers: int | None = None,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        steps = self._steps(recipe)
        if self._fits_in_memory(recipe):
            yield from self._in_memory.train_batches(recipe, seed, epoch, rank, world, start)
            return
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        order = torch.randperm(len(self.train_files), generator=generator)
        share = recipe.batch_size // world
        own = order[: steps * recipe.batch_size].view(-1, recipe.batch_size)[start:, rank * share : (rank + 1) * share]
        size = share * 3 * recipe.size**2 * 4 + decoded_bytes(self._largest)
        if _is_plain(recipe):
            draws = torch.rand(len(order), DRAWS, generator=generator)  # as in `InMemory`
            images = ImageFiles(self.train_files, self.train_labels, pixels, recipe.size)
            for indices, (batch, labels) in zip(own, stream(images, own.tolist(), size, workers), strict=True):
                yield augment(normalised(batch, self.mean, self.std), recipe, draws[indices]), labels
            return
        transform = create_transform(
            (3, recipe.size, recipe.size),
            is_training=True,
            scale=recipe.crop_scale or (1.0, 1.0),
            ratio=None if recipe.crop_scale else (1.0, 1.0),
            hflip=recipe.hflip,
            color_jitter=None,  # type: ignore[arg-type]
            auto_augment=recipe.randaugment or None,
            re_prob=recipe.random_erasing,
            re_mode="pixel",
            interpolation=recipe.interpolation,
            mean=self.mean,
            std=self.std,
        )
        side = None if recipe.crop_scale else recipe.size
        yield from stream(
            ImageFiles(self.train_files, self.train_labels, transform, side, (seed, epoch)), own.tolist(), size, workers
        )

    def test_batches(
        self, recipe: Recipe, rank: int, world: int, *, workers: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        # Each image occurs once for any number of processes.
        files, labels = self.test_files[rank::world], self.test_labels[rank::world]
        batches = [list(range(i, min(i + _TEST_BATCH, len(files)))) for i in range(0, len(files), _TEST_BATCH)]
        if self._config is None and self._is_used_whole(recipe):
            if self._fits_in_memory(recipe):
                yield from self._in_memory.test_batches(recipe, rank, world)
                return
            images = ImageFiles(files, labels, pixels, recipe.size)
            size = _TEST_BATCH * 3 * recipe.size**2 * 4 + decoded_bytes(self._largest)
            for batch, batch_labels in stream(images, batches, size, workers):
                yield normalised(batch, self.mean, self.std), batch_labels
            return
        config: dict[str, Any] = self._config or {
            "input_size": (3, recipe.size, recipe.size),
            "interpolation": recipe.interpolation,
            "crop_pct": recipe.crop_pct,
        }
        transform = create_transform(**{**config, "mean": self.mean, "std": self.std})
        size = _TEST_BATCH * 4 * int(np.prod(config["input_size"])) + decoded_bytes(self._largest)
        yield from stream(ImageFiles(files, labels, transform), batches, size, workers)

    def normalised_by(self, mean: tuple[float, ...], std: tuple[float, ...]) -> Folder:
        """Return the same images normalised with another mean and deviation."""
        result = copy.copy(self)
        vars(result).pop("_in_memory", None)
        result.mean, result.std = mean, std
        return result

    def evaluated_as(self, config: Mapping[str, Any]) -> Folder:
        """Return the same images with the test images prepared as timm does for a model with that `pretrained_cfg`."""
        resolved = resolve_data_config({}, pretrained_cfg=dict(config))
        result = self.normalised_by(tuple(resolved["mean"]), tuple(resolved["std"]))
        result._config = resolved
        return result

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
        files = self.train_files + self.test_files
        chosen = files[:: max(1, len(files) // _HEADERS)]
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
