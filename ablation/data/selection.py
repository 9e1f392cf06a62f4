"""Subsets of a data set, given in its name: DATA#10000 is a fixed balanced subset of the training images.

DATA#10000+5000 additionally holds out 5,000 other training images for testing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import AblationError

_NAME = re.compile(r"(?P<base>.*?)(#(?P<train>\d+)(\+(?P<held_out>\d+))?)?", re.DOTALL)
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

    >>> split_name("digits#500")
    ('digits', Selection(train=500, held_out=None))
    """
    match = _NAME.fullmatch(name)
    assert match is not None  # the pattern matches any string
    numbers = (int(match[part]) if match[part] else None for part in ("train", "held_out"))
    return match["base"], Selection(*numbers)
