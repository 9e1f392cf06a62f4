"""Subsets of a data set, given in its name: DATA#10000 is a fixed balanced subset of the training images.

DATA#10000+5000 additionally holds out 5,000 other training images for testing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import AblationError
from ..pictures import printable
from .timm_names import PREFIX

FOLDERS = ("imagefolder:", "imagenet:")
_SELECTION = re.compile(r"([0-9]{1,12})(?:\+([0-9]{1,12}))?")
_SEED = 0


@dataclass(frozen=True)
class Selection:
    """The images to train on and the images to test on.

    Args:
        train: number of training images, the same for each class; None for all of them.
        held_out: number of other training images to test on, for example to choose a learning rate without using the test
            images; None to test on the test images.
    """

    train: int | None = None
    held_out: int | None = None

    def __call__(self, labels: NDArray[np.int64], name: str) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Return the indices of the training images and of the held-out images (None for none), in ascending order.

        The selection depends only on the labels: DATA#10000 and DATA#10000+5000 train on the same images.

        Raises:
            AblationError: if there are too few images, or the numbers are not divisible by the number of classes.
        """
        if self.train is None:
            return np.arange(len(labels)), None
        classes = int(labels.max()) + 1
        per_class, held_out_per_class = self.train // classes, (self.held_out or 0) // classes
        divides = per_class * classes == self.train and held_out_per_class * classes == (self.held_out or 0)
        if not per_class or not divides or self.held_out == 0:
            raise AblationError(f"{name}: {self} does not divide evenly into {classes} classes")
        generator = np.random.Generator(np.random.PCG64(_SEED))
        train, held_out = [], []
        for label in range(classes):
            indices = generator.permutation(np.flatnonzero(labels == label))
            if len(indices) < per_class + held_out_per_class:
                raise AblationError(
                    f"{name}: {self} needs {per_class + held_out_per_class} images of class {label}, which has {len(indices)}"
                )
            train.append(indices[:per_class])
            held_out.append(indices[per_class : per_class + held_out_per_class])
        return np.sort(np.concatenate(train)), np.sort(np.concatenate(held_out)) if self.held_out else None

    def __str__(self) -> str:
        if self.train is None:
            return ""
        return f"#{self.train}" + (f"+{self.held_out}" if self.held_out is not None else "")


def split_name(name: str) -> tuple[str, Selection]:
    """Split a name into the name of the whole data set and the selection.

    The path of a folder may contain #: what follows is a selection only if no folder has the whole path.

    Raises:
        AblationError: if what follows # is not a selection.

    >>> split_name("digits#500")
    ('digits', Selection(train=500, held_out=None))
    """
    if name.startswith(PREFIX):
        return name, Selection()  # timm's readers have splits of their own
    is_path = name.startswith(FOLDERS)
    base, mark, text = name.rpartition("#") if is_path else name.partition("#")
    if not mark or (is_path and folder_path(name).is_dir()):
        return (name if is_path or not mark else base), Selection()
    match = _SELECTION.fullmatch(text)
    if match is not None:
        return base, Selection(int(match[1]), int(match[2]) if match[2] else None)
    if is_path and not folder_path(base).is_dir():
        return name, Selection()  # a path that contains # and does not exist
    rounded = text.lower().replace("k", "000")
    hint = f"; did you mean {base}#{rounded}?" if _SELECTION.fullmatch(rounded) else ":"
    raise AblationError(
        f"{printable(name)}: {printable(mark + text)!r} is not a selection{hint} Possible: {printable(base)}#TRAIN or "
        f"{printable(base)}#TRAIN+HELD_OUT, with numbers of images such as #1000 or #1000+500"
    )


def folder_path(name: str) -> Path:
    """Return the path in the name of a folder of images.

    >>> folder_path("imagefolder:/data/flowers").name
    'flowers'
    """
    path = Path(name.partition(":")[2])
    try:
        return path.expanduser()
    except RuntimeError:  # "~name" of a user who does not exist
        return path
