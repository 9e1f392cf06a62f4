"""Data sets that timm reads: folders, tar files, and those of Hugging Face, TFDS, webdataset and torchvision.

Sets that give any image by its number are read like folders of images: each process has its share of an order drawn anew in
each epoch, and what is drawn for an image depends only on the seed, the epoch and its number.

Sets that are read in a row (`wds/`, `tfds/`, `hfids/`) are shuffled by timm: their shards in each epoch, and the images in a
buffer. Each process reads shards of its own, by at most four workers. The order and what is drawn for an image depend on the
seed, the epoch, and the numbers of processes, parts and workers, but not on the machine. An epoch has all images only if the
shards of each worker have equally many.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from ..design.recipe import Recipe
from ..errors import AblationError
from ..pictures import printable
from .about import DatasetInfo
from .chunks import CPU, Workers, largest_divisor, stream, stream_in_row
from .epoch_order import draw_order, own_parts
from .in_memory import batches_per_epoch
from .once import once_per_machine
from .prepared import Prepared
from .streamed import check_memory
from .timm_names import parse_timm
from .timm_reading import ByNumber, InRow, class_names_of, is_in_row, local_files, number_of, open_split, streams_of
from .training_transform import training_transform

_LARGEST = (2048, 2048)  # pixels; assumed, since no image is read for the forecast of the memory
_TEST_BATCH = 64
_HEAD = 2**16  # bytes of each shard that the checksum covers


class TimmSet(Prepared):
    """A data set that timm's `create_dataset` reads.

    Args:
        info: description of the data set, whose name begins with `timm:`.

    Raises:
        AblationError: if a split does not exist or cannot be read, or the number of classes is another one.
    """

    orders_differ, names_checksum = False, None

    def __init__(self, info: DatasetInfo) -> None:
        self.info, self._workers, self._parts = info, Workers(), parse_timm(info.name)
        self._train, self._test = open_split(self._parts, is_train=True), open_split(self._parts, is_train=False)
        self._train_size, self._test_size = number_of(self._train, info.name), number_of(self._test, info.name)
        names = class_names_of(self._train)
        if names and len(names) != info.num_classes:
            raise AblationError(
                f"{printable(info.name)} has {len(names)} classes ({', '.join(names[:3])}, ...), not {info.num_classes}: "
                f"give num_classes={len(names)}"
            )
        self.classes = names or tuple(map(str, range(info.num_classes)))

    @cached_property
    def checksum(self) -> str:
        """Checksum of names and numbers, and of the beginning of each file that is on this machine."""
        return once_per_machine(f"checksum {self.info.name}", self._compute_checksum)

    @property
    def remark(self) -> str:
        """What the checksum covers."""
        return (
            f"{printable(self.info.name)}: the checksum covers the classes, the number of images, and the names, sizes and first "
            f"{_HEAD // 1024} kB of local files; other changes can go unnoticed"
        )

    def steps_per_epoch(self, recipe: Recipe, parts: int = 1) -> int:
        steps = self._steps(recipe)
        check_memory(recipe.batch_size, recipe.size, _LARGEST, recipe.name, parts)
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
        steps, share = self._steps(recipe), recipe.batch_size // world
        transform, erasing = training_transform(recipe, self.mean, self.std)
        if is_in_row(self._train):
            sizes = [len(piece) for piece in torch.empty(share).chunk(parts)]
            streams = workers or streams_of(self._train, world, self.info.name)
            size = largest_divisor(sizes)
            own = open_split(self._parts, is_train=True, shuffle=True, seed=seed, batch_size=size)
            own.reader.dist_rank, own.reader.dist_num_replicas = rank, world
            own.set_loader_cfg(num_workers=streams)
            own.set_epoch(epoch)
            seeds = (seed, epoch, rank)
            row = InRow(own, transform, size, self.info, erasing, seeds)
            sizes *= steps - start
            yield from stream_in_row(row, (self.mean, self.std), sizes, start * share, seeds, device, streams)
            return
        order, _ = draw_order(self._train_size, seed, epoch)
        pieces = own_parts(order, recipe, start, rank, world, parts)
        yield from stream(
            ByNumber(self._train, transform, self.info, erasing),
            pieces,
            3 * recipe.size**2,
            (self.mean, self.std),
            (seed, epoch),
            device=device,
            workers=workers,
            keep=(self._workers, (recipe, self.mean, self.std)),
        )

    def test_batches(
        self, recipe: Recipe, rank: int, world: int, *, device: torch.device = CPU, workers: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        transform, shape = self.test_transform(recipe)
        statistics = self.mean, self.std
        if not is_in_row(self._test):
            numbers = range(rank, self._test_size, world)
            batches = [numbers[i : i + _TEST_BATCH] for i in range(0, len(numbers), _TEST_BATCH)]
            by_number = ByNumber(self._test, transform, self.info)
            yield from stream(by_number, batches, math.prod(shape), statistics, device=device, workers=workers)
            return
        # Every process reads all images and prepares its own: whole shards would give some processes none.
        source = open_split(self._parts, is_train=False)
        row = InRow(source, transform, _TEST_BATCH, self.info, every=(rank, world))
        found = 0
        for images, labels in stream_in_row(row, statistics, device=device):
            found += len(labels)
            yield images, labels
        if found != len(range(rank, self._test_size, world)):  # timm leaves out what it cannot read
            raise AblationError(
                f"{printable(self.info.name)} has {self._test_size} test images, but others could be read: its number of images "
                "is wrong, or some are damaged"
            )

    def held_in_memory(self, recipe: Recipe) -> None:
        """Return None: images of these sets are always read from their files."""

    def _steps(self, recipe: Recipe) -> int:
        if recipe.shift_px or not recipe.crop_scale:
            raise AblationError(
                f"recipe {recipe.name!r} does not crop images at random (crop_scale), but those of {printable(self.info.name)} "
                "have sizes of their own: use --recipe paper"
            )
        return batches_per_epoch(self._train_size, recipe, self.info)

    def _compute_checksum(self) -> str:
        parts = self._parts
        place = parts.reader if parts.reader in ("", "wds") else parts.dataset  # a folder can be moved
        about = (place, self.classes, self._train_size, self._test_size, sorted(parts.options.items()))
        digest = hashlib.sha256(repr(about).encode())
        for split in (self._train, self._test):
            for file in local_files(split):
                digest.update(b"%s\0%d\0" % (file.name.encode("utf-8", "surrogateescape"), file.stat().st_size))
                with file.open("rb") as opened:
                    digest.update(opened.read(_HEAD))
        return digest.hexdigest()[:16]
