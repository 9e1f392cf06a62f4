"""The readers of timm, opened and read by workers; whatever they raise becomes one clear error."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from timm.data import create_dataset
from timm.data.random_erasing import RandomErasing
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from ..errors import AblationError, first_line
from ..pictures import printable
from .about import DatasetInfo
from .streamed import Building, Chunk, ImageFiles, seed_image
from .timm_names import PREFIX, TRAIN_SPLITS, VAL_SPLITS, TimmName, split_folder

_MAX_STREAMS = 4  # workers of one process that read shards
_FILES = 1000  # of which a checksum reads the beginning


def open_split(parts: TimmName, is_train: bool, shuffle: bool = False, **of_rows: Any) -> Any:
    """Return timm's data set of a split.

    Args:
        parts: the name of the data set.
        is_train: whether the training images are wanted.
        shuffle: whether a set that is read in a row is shuffled.
        of_rows: further arguments of `create_dataset` for sets that are read in a row, such as seed.

    Raises:
        AblationError: if there is no such split or it cannot be opened.
    """
    given, usual = (parts.train_split, TRAIN_SPLITS) if is_train else (parts.val_split, VAL_SPLITS)
    splits = (given,) if given else usual
    options: dict[str, Any] = dict(parts.options)
    if not parts.reader:
        root = split_folder(Path(parts.root or ""), splits)
        return _attempt(parts, lambda: create_dataset("", root=str(root), search_split=False, **options))
    if parts.reader != "hfds":
        options["download"] = parts.download
    if parts.reader not in ("hfds", "torch"):
        options |= {"is_training": shuffle, **of_rows}
    errors = []
    for split in splits:
        try:
            return _attempt(parts, lambda: create_dataset(parts.dataset, root=parts.root, split=split, **options))  # noqa: B023
        except AblationError as error:
            errors.append(error)
            if parts.reader == "torch":  # knows only the usual names, and takes others for the test images
                break
    option = "train_split" if is_train else "val_split"
    raise AblationError(f"{errors[0]}. Another split is given by ?{option}=NAME")


def is_in_row(dataset: Any) -> bool:
    """Return whether the images of a data set can only be read one after the other."""
    return isinstance(dataset, IterableDataset)


def number_of(dataset: Any, name: str) -> int:
    """Return the number of images of a split.

    Raises:
        AblationError: if it is not known.
    """
    number = int(dataset.reader.num_samples or 0) if is_in_row(dataset) else len(dataset)
    if not number:
        raise AblationError(
            f"the number of images of {printable(name)} is not known: give it after the shards, as in "
            "?train_split=train-{0000..0009}.tar|10000"
        )
    return number


def streams_of(dataset: Any, world: int, name: str) -> int:
    """Return how many workers of each process read a set in a row; the same on every machine, as the order depends on it.

    Raises:
        AblationError: if there are fewer shards than processes.
    """
    shards = getattr(getattr(dataset.reader, "split_info", None), "filenames", None)
    if shards is None:  # TFDS splits what it has among any number; a stream of Hugging Face may have one part
        return _MAX_STREAMS if type(dataset.reader).__name__ == "ReaderTfds" else 1
    if len(shards) < world:
        raise AblationError(f"{printable(name)} has {len(shards)} shards, too few for {world} processes")
    return min(_MAX_STREAMS, len(shards) // world)


def class_names_of(dataset: Any) -> tuple[str, ...]:
    """Return the names of the classes in the order of their labels, or () where the reader knows none."""
    reader = getattr(dataset, "reader", dataset)
    for attribute in ("class_to_idx", "class_name_to_idx"):
        index = getattr(reader, attribute, None) or {}
        if index and sorted(index.values()) == list(range(len(index))):
            return tuple(str(name) for name in sorted(index, key=index.__getitem__))
    return ()


def local_files(dataset: Any) -> list[Path]:
    """Return files of this machine that a split is read from, at most `_FILES` spread evenly."""
    reader = getattr(dataset, "reader", dataset)
    shards = getattr(getattr(reader, "split_info", None), "filenames", None) or ()
    samples = getattr(reader, "samples", ())
    root = str(getattr(reader, "root", "") or "")
    names = [f"{root}/{name}" for name in shards]
    if not names and len(samples):
        names = [root] if root.endswith(".tar") else [sample[0] for sample in samples]
    files = (Path(name) for name in names[:: max(1, len(names) // _FILES)] if isinstance(name, str))
    return [file for file in files if file.is_file()]


class ByNumber(ImageFiles):
    """A data set of timm or torchvision that gives any image by its number.

    Args:
        dataset: timm's or torchvision's data set.
        transform: from an RGB image to (C, H, W) uint8.
        info: description of the data set.
        erasing: timm's random erasing, or None.
    """

    def __init__(
        self,
        dataset: Any,
        transform: Callable[[Any], Tensor],
        info: DatasetInfo,
        erasing: RandomErasing | None = None,
    ) -> None:
        super().__init__((), np.empty(0, np.int64), transform, erasing=erasing)
        self.dataset, self.info = dataset, info

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, i: int) -> tuple[Any, int]:
        try:
            if not hasattr(self.dataset, "reader"):
                image, label = self.dataset[i]
                return image.convert("RGB"), check_label(label, self.info)
            file, label = self.dataset.reader[i][
                :2
            ]  # timm's data set would put the next image in place of a damaged one
            with file, Image.open(file) as opened:
                return opened.convert("RGB"), check_label(label, self.info)
        except AblationError:
            raise
        except Exception as error:  # each reader raises exceptions of its own
            raise AblationError(
                f"image {i} of {printable(self.info.name)} could not be read: {first_line(error)}"
            ) from None


class InRow(IterableDataset[Any]):
    """A data set of timm that is read in a row, in chunks.

    Args:
        dataset: timm's data set.
        transform: from an RGB image to (C, H, W) uint8.
        size: images in a chunk; the last may have fewer.
        info: description of the data set.
        erasing: timm's random erasing, or None.
        seeds: on which the draws depend, besides the number of the worker and of the image; () where nothing is drawn.
        every: number of this process and of all, where each reads all images and keeps its own.
    """

    def __init__(
        self,
        dataset: Any,
        transform: Callable[[Any], Tensor],
        size: int,
        info: DatasetInfo,
        erasing: RandomErasing | None = None,
        seeds: tuple[int, ...] = (),
        every: tuple[int, int] = (0, 1),
    ) -> None:
        self.dataset, self.transform, self.size, self.info = dataset, transform, size, info
        self.erasing, self.seeds, self.every = erasing, seeds, every

    def __iter__(self) -> Iterator[Chunk | AblationError]:
        try:
            yield from self._chunks()
        except AblationError as error:
            yield error
        except Exception as error:  # each reader raises exceptions of its own
            yield AblationError(f"{printable(self.info.name)} could not be read: {first_line(error)}")

    def _chunks(self) -> Iterator[Chunk]:
        worker = get_worker_info()
        building = Building(self.erasing)
        for number, (image, label) in enumerate(self.dataset):
            if number % self.every[1] != self.every[0]:
                continue
            if self.seeds:
                seed_image(*self.seeds, worker.id if worker else 0, number)
            building.add(self.transform(image.convert("RGB")), check_label(label, self.info))
            if len(building) == self.size:
                yield building.chunk()
                building = Building(self.erasing)
        if len(building):
            yield building.chunk()


def check_label(label: Any, info: DatasetInfo) -> int:
    """Return a label as a number.

    Raises:
        AblationError: if it is not that of one of the classes.
    """
    try:
        number = int(label)
    except (TypeError, ValueError):
        raise AblationError(f"{printable(info.name)} has a label that is not one class: {label!r:.60}") from None
    if not 0 <= number < info.num_classes:
        raise AblationError(
            f"{printable(info.name)} has the label {number}, but {info.num_classes} classes: give the right num_classes"
        )
    return number


def _attempt(parts: TimmName, call: Callable[[], Any]) -> Any:
    name = PREFIX + printable(parts.dataset or parts.root or "")
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # where timm prints that a package is missing
            return call()
    except ImportError as error:
        raise AblationError(f"{name} needs a package that is not installed: {first_line(error)}") from None
    except (Exception, SystemExit) as error:  # each reader raises exceptions of its own
        raise AblationError(f"timm cannot open {name}: {first_line(error)}") from None
