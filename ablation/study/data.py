"""Data sets by name: the embedded digits first, then folders of images.

`digits` is the test part of the Optical Recognition of Handwritten Digits set (Alpaydin and Kaynak 1998, UCI), 1,797
real 8 x 8 images that scikit-learn ships, so it needs no download. The split is fixed and stratified: of each class,
every fifth image in the set's own order is a test image.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from ..errors import AblationError, unknown
from .about import About, Data

NAMES = ("digits", "imagefolder:PATH")
DIGITS_SIZE = 8
_FOLDER = "imagefolder:"


_DIGITS = About(
    "digits",
    DIGITS_SIZE,
    10,
    1,
    "8 x 8 digits carry no evidence about large kernels: the last stages are 4, 2 and 1 pixels wide, so a 7 x 7 kernel "
    "sees mostly padding. These accuracies show that every rung learns, not which rung is better.",
)


def about(name: str) -> About:
    """What the data set of that name is.

    Raises:
        AblationError: if there is none (the nearest name is offered), or its folder is not as it must be.
    """
    if name == "digits":
        return _DIGITS
    if name.startswith(_FOLDER):
        _, classes = _folders(name)
        return About(name, None, len(classes), 3)
    raise unknown("data set", name, NAMES)


def load(name: str) -> Data:
    """The data set of that name, ready to train on; loaded once per process."""
    about(name)
    return _digits() if name == "digits" else _image_folder(name)


@cache
def _digits() -> Data:
    import torch
    from sklearn.datasets import load_digits

    from .memory import InMemory

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


@cache
def _image_folder(name: str) -> Data:
    from .folder import Folder

    root, classes = _folders(name)
    return Folder(about(name), root, classes)


def _folders(name: str) -> tuple[Path, list[str]]:
    """The root of a folder data set and its classes: the folders in train/, which val/ must have too."""
    root = Path(name.removeprefix(_FOLDER)).expanduser()
    for split in ("train", "val"):
        if not (root / split).is_dir():
            raise AblationError(
                f"{name} has no folder {root / split}: expected are {root}/train/CLASS/* and {root}/val/CLASS/*"
            )
    classes = sorted(path.name for path in (root / "train").iterdir() if path.is_dir())
    tested = sorted(path.name for path in (root / "val").iterdir() if path.is_dir())
    if classes != tested:
        odd = sorted(set(classes) ^ set(tested))
        raise AblationError(f"the classes in {root}/train and {root}/val differ: {', '.join(odd[:5])}")
    if len(classes) < 2:
        raise AblationError(f"{root}/train has {len(classes)} class folders; a classifier needs 2 or more")
    return root, classes
