"""Data sets by name: the bundled digits, a procedural data set, sets of torchvision and timm, and folders of images.

`digits` is the test part of the Optical Recognition of Handwritten Digits data set (Alpaydin and Kaynak 1998, UCI): 1,797
real 8 x 8 images that are included in scikit-learn, so no download is needed. The split is fixed and stratified: every fifth
image of each class, in the original order, is a test image.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AblationError, unknown
from ..pictures import printable
from .about import Data, DatasetInfo
from .class_folders import class_names, is_folder
from .class_order import sort_classes
from .longrange import distance_of, load_longrange, longrange_info
from .published_sets import SETS, imagenette_folder, load_published
from .selection import FOLDERS, folder_path, split_name
from .timm_names import PREFIX, timm_info

if TYPE_CHECKING:
    from .in_memory import InMemory
    from .selection import Selection

NAMES = ("digits", "longrange", *SETS, "imagefolder:PATH", "imagenet:PATH", "timm:NAME")
DIGITS_SIZE = 8
_TEST_SPLITS = ("val", "test")


_DIGITS = DatasetInfo(
    "digits",
    DIGITS_SIZE,
    10,
    1,
    "8 x 8 digits carry no evidence about large kernels: the last stages are 4, 2 and 1 pixels wide, so a 7 x 7 kernel "
    "sees mostly padding. These accuracies show that every rung learns, not which rung is better.",
)


def info(name: str) -> DatasetInfo:
    """Return the description of the data set with that name. NAME#10000 is a fixed balanced subset of 10,000 training images.

    Raises:
        AblationError: if no data set has that name (the message suggests the nearest), or its folder has the wrong layout.
    """
    base, _ = split_name(name)
    if base == "digits":
        return _DIGITS
    if base.partition(":")[0] == "longrange":
        return longrange_info(distance_of(base))
    if base in SETS:
        return SETS[base].info
    if base.startswith(PREFIX):
        return timm_info(base)
    if base.startswith(FOLDERS):
        _, _, classes = _folders(base)
        return DatasetInfo(name, None, len(classes), 3)
    raise unknown("data set", name, NAMES)


@cache
def load(name: str, class_order: str = "torchvision") -> Data:
    """Return the data set with that name, ready for training. It is loaded once per process.

    Of a folder, the number of files that are not used is printed on stderr, with the reasons.

    Args:
        name: name of a data set, with or without a selection.
        class_order: order in which the classes of a folder are labelled: "torchvision" (as text: 1, 10, 2) or "timm"
            (naturally, without regard to case: 1, 2, 10).

    Raises:
        AblationError: as for `info`, or if the labels of the data set are fixed and another order is asked for.
    """
    base, selection = split_name(name)
    description = info(name)
    if base == "imagenette":
        base = f"imagefolder:{imagenette_folder()}"
    if base.startswith(FOLDERS):
        from .folder import Folder

        train, test, classes = _folders(base)
        data = Folder(description, train, test, sort_classes(classes, class_order), selection)
        if data.remark and multiprocessing.parent_process() is None and os.environ.get("RANK", "0") == "0":
            print(data.remark, file=sys.stderr, flush=True)  # once: neither in workers nor, as this is cached, again
        return data
    if class_order != "torchvision":
        sort_classes((), class_order)  # raises if there is no such order
        raise AblationError(f"the labels of {base} are fixed: class_order applies to folders of images")
    if base.startswith(PREFIX):
        from .timm_sets import TimmSet

        return TimmSet(description)
    if base in SETS:
        return _select(load_published(base), selection, name)
    whole = _digits() if base == "digits" else load_longrange(distance_of(base))
    return _select(whole, selection, name)


def _select(data: InMemory, selection: Selection, name: str) -> InMemory:
    """Return the selected subset of a data set."""
    if selection.train is None:
        return data
    import dataclasses

    import torch

    from .in_memory import InMemory

    chosen, held_out = selection(data.train_labels.numpy(), name)
    train = data.train_images[torch.from_numpy(chosen)], data.train_labels[torch.from_numpy(chosen)]
    test = data.test_images, data.test_labels
    if held_out is not None:
        test = data.train_images[torch.from_numpy(held_out)], data.train_labels[torch.from_numpy(held_out)]
    checksum = hashlib.sha256(f"{data.checksum}{selection}".encode()).hexdigest()[:16]
    return InMemory(
        dataclasses.replace(data.info, name=name), checksum, *train, *test, data.mean, data.std, data.classes
    )


@cache
def _digits() -> InMemory:
    import torch
    from sklearn.datasets import load_digits

    from .in_memory import InMemory

    bunch = load_digits()
    labels = torch.from_numpy(bunch.target).long()
    images = torch.from_numpy(bunch.images).float()[:, None] / 16.0  # (N, 1, 8, 8), from 0 to 1
    is_test = torch.zeros(len(labels), dtype=torch.bool)
    for digit in range(_DIGITS.num_classes):
        is_test[(labels == digit).nonzero()[4::5, 0]] = True
    mean, std = images[~is_test].mean(), images[~is_test].std()
    images = (images - mean) / std
    checksum = hashlib.sha256(images.numpy().tobytes() + labels.numpy().tobytes()).hexdigest()[:16]
    train, test = (images[~is_test], labels[~is_test]), (images[is_test], labels[is_test])
    return InMemory(_DIGITS, checksum, *train, *test, mean=(mean.item(),), std=(std.item(),))


def _folders(base: str) -> tuple[Path, Path, list[str]]:
    """Return the training folder, the test folder and the class names of an image-folder data set.

    Raises:
        AblationError: if a folder is missing, the two folders have different classes, or there are fewer than two classes.
    """
    root = folder_path(base)
    if root == Path():
        raise AblationError(f"{base} needs the path of a folder, as in {base}PATH")
    shown = printable(root)
    expected = f"expected {shown}/train/CLASS/* and {shown}/val/CLASS/* or {shown}/test/CLASS/*"
    if not is_folder(root / "train"):
        raise AblationError(f"{printable(base)} has no folder {shown}/train: {expected}")
    test = next((root / split for split in _TEST_SPLITS if is_folder(root / split)), None)
    if test is None:
        raise AblationError(f"{printable(base)} has no folder {shown}/val: {expected}")
    if test.samefile(root / "train"):
        raise AblationError(f"{shown}/train and {printable(test)} are one folder: the test images must be others")
    classes, test_classes = class_names(root / "train"), class_names(test)
    if classes != test_classes:
        unmatched = sorted(set(classes) ^ set(test_classes))
        raise AblationError(f"the classes in {shown}/train and {printable(test)} differ: {', '.join(unmatched[:5])}")
    if len(classes) < 2:
        raise AblationError(f"{shown}/train has {len(classes)} class folders; a classifier needs at least 2")
    return root / "train", test, classes
