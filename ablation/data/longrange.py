"""A data set in which the receptive field decides: are two marks far apart of the same kind?

Each image is mild noise with two marks of 3 x 3 pixels in one row, each a plus or a cross, `distance` columns apart.
Class 1 is two of a kind, class 0 is one of each. Both kinds have five bright pixels, all four pairs are equally
frequent, and places are drawn without regard to them: no single mark, place or count tells the class.

What a network can reach whose last positions see at most one mark each. Its score for class 1 over class 0 is a mean over
positions, so it is additive: s(left, right) = a(left) + b(right) + c, where a, b and c depend on place and noise
alone. Then s(plus, plus) + s(cross, cross) = s(plus, cross) + s(cross, plus). To be right on all four, both scores
on the left must be positive and both on the right must not, which is impossible; three of four are possible. Images
come in quadruples, the four pairs at one place on one noise, so the bound holds to the letter and not only on
average: such a network has at most 75 % of any split right, whatever its weights. (A normalisation after the global
pooling whose statistics are the image's own, such as layer normalisation, would not be additive; batch normalisation
in evaluation is. Our networks for this data, `network`, have none there.) A network that sees both marks at once can
have all of them right.

Everything is integer arithmetic on the raw output of NumPy's PCG64, so the bytes are the same on every machine.
"""

from __future__ import annotations

import hashlib
from functools import cache
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..design.architecture import Architecture
from ..design.recipe import Recipe
from ..errors import AblationError
from .about import DatasetInfo

if TYPE_CHECKING:
    from .in_memory import InMemory

SIZE = 32  # side of an image in pixels
MARK = 3  # side of a mark in pixels
DISTANCE = 22  # more than 3 x 3 kernels reach in `network`, less than 7 x 7 kernels do
ADDITIVE_BOUND = 75.0  # percent that a sum over windows with one mark each can have right

_PREFIX = "longrange"
_TRAIN, _TEST = 1024, 256  # quadruples
_SEED = 20220103
_PLUS = ((0, 1, 0), (1, 1, 1), (0, 1, 0))
_CROSS = ((1, 0, 1), (0, 1, 0), (1, 0, 1))
_BRIGHTNESS = 128  # of a mark over the noise, which has mean 64 and standard deviation 18 of 255

# What `network` is trained with here. Ours, not the paper's.
RECIPE = Recipe(
    name="longrange",
    epochs=5,
    batch_size=32,  # with 64, half the steps, two of eight seeds were still at the beginning after five epochs
    optimizer="adamw",
    lr=4e-3,
    lr_batch=32,
    weight_decay=0.05,
    warmup_epochs=1,
)


def network(kernel_size: int) -> Architecture:
    """The small network to compare kernels with on this data: four depthwise blocks without a norm after the pooling.

    With `RECIPE` and marks 22 px apart, kernels of 7 have all of them right and kernels of 3 half (five seeds each); marks 8 px
    apart, kernels of 3 have all right too: what they lack is reach.

    Args:
        kernel_size: of its spatial convolutions, in positions. 3 gives a receptive field of 19 px, 7 one of 51 px.
    """
    return Architecture(
        depths=(1, 1, 1, 1),
        width=4,  # half the time of 8, and as good
        stem_stride=1,
        depthwise=True,
        block="inverted",
        spatial_first=True,
        kernel_size=kernel_size,
    )


def covers_both(receptive_field: int, distance: int = DISTANCE) -> bool:
    """Whether a window of that side, in pixels, can hold a pixel of both marks; if not, 75 % is the most there is.

    >>> covers_both(19), covers_both(51)
    (False, True)
    """
    return receptive_field >= distance - MARK + 2


def longrange_info(distance: int = DISTANCE) -> DatasetInfo:
    """What the data set with that distance between its marks is.

    Raises:
        AblationError: if the marks would overlap or do not fit into the image.
    """
    if isinstance(distance, bool) or not isinstance(distance, int) or not MARK <= distance <= SIZE - MARK:
        raise AblationError(
            f"distance {distance!r} of {_PREFIX} must be a whole number of pixels from {MARK} to {SIZE - MARK}, as in "
            f"{_PREFIX}:{DISTANCE}"
        )
    return DatasetInfo(
        _PREFIX if distance == DISTANCE else f"{_PREFIX}:{distance}",
        SIZE,
        2,
        1,
        f"Two marks {distance} px apart, of one kind or not. A network that never sees both at once has at most "
        f"{ADDITIVE_BOUND:.0f} % right: this shows what a receptive field is needed for, and nothing about photographs.",
    )


def distance_of(name: str) -> int:
    """The distance that a data set's name asks for: "longrange" or "longrange:DISTANCE".

    Raises:
        AblationError: if it is not a number.

    >>> distance_of("longrange:8")
    8
    """
    given = name.removeprefix(_PREFIX).removeprefix(":")
    if name != _PREFIX and not given.isdecimal():
        raise AblationError(f"{name!r} asks for no distance in pixels: expected is {_PREFIX}, or {_PREFIX}:{DISTANCE}")
    return int(given) if given else DISTANCE


@cache
def load_longrange(distance: int = DISTANCE) -> InMemory:
    """The data set with that distance between its marks: 4,096 training and 1,024 test images.

    Args:
        distance: between the left edges of the two marks, in pixels.

    Raises:
        AblationError: if the marks would overlap or do not fit into the image.
    """
    import torch

    from .in_memory import InMemory

    info = longrange_info(distance)
    images, labels = quadruples(distance)
    checksum = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()[:16]
    train, test = images[:_TRAIN], images[_TRAIN:]
    mean = int(train.sum(dtype=np.int64)) / train.size  # sums of whole numbers, so that no machine rounds otherwise
    std = sqrt(int((train.astype(np.int64) ** 2).sum()) / train.size - mean**2)
    return InMemory(
        info,
        checksum,
        torch.from_numpy(train.reshape(-1, 1, SIZE, SIZE)),
        torch.from_numpy(labels[:_TRAIN].reshape(-1)),
        torch.from_numpy(test.reshape(-1, 1, SIZE, SIZE)),
        torch.from_numpy(labels[_TRAIN:].reshape(-1)),
        mean=(mean / 255,),
        std=(std / 255,),
    )


def quadruples(distance: int = DISTANCE) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """All images, in fours: one noise and one place with each pair of marks; the training images come first.

    Args:
        distance: between the left edges of the two marks, in pixels.

    Returns:
        Images (Q, 4, SIZE, SIZE) from 0 to 255, of the pairs plus-plus, plus-cross, cross-plus, cross-cross, and their
        classes (Q, 4).
    """
    n = _TRAIN + _TEST
    bits = np.random.PCG64(_SEED)
    rows = (bits.random_raw(n) % (SIZE - MARK + 1)).astype(np.int64)
    columns = (bits.random_raw(n) % (SIZE - MARK - distance + 1)).astype(np.int64)
    words = bits.random_raw(n * SIZE * SIZE // 2).astype("<u8")
    four = words.view(np.uint8).reshape(n, SIZE, SIZE, 4).astype(np.uint16)
    noise = (four.sum(-1) >> 3).astype(np.uint8)  # (Q, SIZE, SIZE), from 0 to 127, close to a bell curve
    images = np.repeat(noise[:, None], 4, axis=1)
    kinds = np.array([_PLUS, _CROSS], dtype=np.uint8) * np.uint8(_BRIGHTNESS)
    pairs = [(left, right) for left in (0, 1) for right in (0, 1)]
    for image, row, column in zip(images, rows, columns, strict=True):
        for one, (left, right) in zip(image, pairs, strict=True):
            one[row : row + MARK, column : column + MARK] += kinds[left]
            one[row : row + MARK, column + distance : column + distance + MARK] += kinds[right]
    labels = np.array([int(left == right) for left, right in pairs], dtype=np.int64)
    return images, np.tile(labels, (n, 1))
