"""Part of a data set, named in its name: DATA#10000, a fixed balanced choice of training images, or DATA#10000+5000."""

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
    """Which training images are trained on, and what is tested on.

    Args:
        train: how many training images, the same number of each class; None for all of them.
        held_out: how many other training images are tested on, for choosing a learning rate and the like without a look at the
            test images; None for the test images themselves.
    """

    train: int | None = None
    held_out: int | None = None

    def __call__(self, labels: NDArray[np.int64], name: str) -> tuple[NDArray[np.int64], NDArray[np.int64] | None]:
        """Places of the chosen training images, and of those held out, in ascending order.

        The choice depends on the labels alone: DATA#10000 and DATA#10000+5000 train on the same images.

        Raises:
            AblationError: if there are too few images, or the numbers do not divide by the classes.
        """
        if self.train is None:
            return np.arange(len(labels)), None
        classes = int(labels.max()) + 1
        each, tested = self.train // classes, (self.held_out or 0) // classes
        if not each or each * classes != self.train or tested * classes != (self.held_out or 0) or self.held_out == 0:
            raise AblationError(f"{name}: {self} does not divide by {classes} classes")
        generator = np.random.Generator(np.random.PCG64(_SEED))
        train, held_out = [], []
        for label in range(classes):
            places = generator.permutation(np.flatnonzero(labels == label))
            if len(places) < each + tested:
                raise AblationError(
                    f"{name}: {self} asks for {each + tested} images of class {label}, which has {len(places)}"
                )
            train.append(places[:each])
            held_out.append(places[each : each + tested])
        return np.sort(np.concatenate(train)), np.sort(np.concatenate(held_out)) if self.held_out else None

    def __str__(self) -> str:
        if self.train is None:
            return ""
        return f"#{self.train}" + (f"+{self.held_out}" if self.held_out is not None else "")


def split_name(name: str) -> tuple[str, Selection]:
    """The data set's own name, and what is chosen of it.

    >>> split_name("digits#500")
    ('digits', Selection(train=500, held_out=None))
    """
    found = _NAME.fullmatch(name)
    assert found is not None  # it matches anything
    numbers = (int(found[part]) if found[part] else None for part in ("train", "held_out"))
    return found["base"], Selection(*numbers)
