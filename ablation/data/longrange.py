"""A data set whose difficulty depends on the receptive field: are two distant marks of the same kind?

Each image is weak noise with two marks of 3 x 3 pixels in the same row, `distance` columns apart. Each mark is a plus or a
cross. Class 1 means two marks of the same kind, class 0 one of each. Both kinds have five bright pixels, all four pairs are
equally frequent, and the positions are drawn independently of the kinds, so no single mark, position or pixel count reveals
the class.

A network whose last feature map has only positions that see at most one mark each is at most 75 % accurate on any split, for
any weights: its score is additive over the marks, and the images come in quadruples, the four pairs at the same position on the
same noise. Notebook 04 contains the proof. It requires that no normalisation after the global pooling uses statistics of the
image, as layer normalisation does; batch normalisation in evaluation mode keeps the score additive, and the networks built by
`network` have no normalisation there. A network that sees both marks at the same time can classify all images correctly.

All pixels are computed with integer arithmetic from the raw output of NumPy's PCG64, so the bytes are the same on every
machine.
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
DISTANCE = 22  # beyond the receptive field of `network` with 3 x 3 kernels, within that with 7 x 7 kernels
ADDITIVE_BOUND = 75.0  # highest accuracy, in percent, of a sum over windows that contain one mark each

_PREFIX = "longrange"
_TRAIN, _TEST = 1024, 256  # quadruples
_SEED = 20220103
_PLUS = ((0, 1, 0), (1, 1, 1), (0, 1, 0))
_CROSS = ((1, 0, 1), (0, 1, 0), (1, 0, 1))
_BRIGHTNESS = 128  # added to the noise, which has mean 64 and standard deviation 18 on a scale of 0 to 255

# The recipe for `network` on this data set. It is not from the paper.
RECIPE = Recipe(
    name="longrange",
    epochs=5,
    batch_size=32,  # with 64 (half as many steps), two of eight seeds had not started to learn after five epochs
    optimizer="adamw",
    lr=4e-3,
    lr_batch=32,
    weight_decay=0.05,
    warmup_epochs=1,
)


def network(kernel_size: int) -> Architecture:
    """Return a small network for comparing kernel sizes: four depthwise blocks with no norm after the pooling.

    With `RECIPE` and marks 22 px apart, 7 x 7 kernels classify all images correctly and 3 x 3 kernels half of them (five seeds
    each). With marks 8 px apart, 3 x 3 kernels classify all images correctly too, so only their receptive field limits them.

    Args:
        kernel_size: kernel size of the spatial convolutions. 3 gives a receptive field of 19 px, 7 gives one of 51 px.
    """
    return Architecture(
        depths=(1, 1, 1, 1),
        width=4,  # takes half the time of width 8 and is as accurate
        stem_stride=1,
        depthwise=True,
        block="inverted",
        spatial_first=True,
        kernel_size=kernel_size,
    )


def covers_both(receptive_field: int, distance: int = DISTANCE) -> bool:
    """Return whether a receptive field, in pixels, can contain pixels of both marks. If not, accuracy is at most 75 %.

    >>> covers_both(19), covers_both(51)
    (False, True)
    """
    return receptive_field >= distance - MARK + 2


def longrange_info(distance: int = DISTANCE) -> DatasetInfo:
    """Return the description of the data set with that distance between the marks.

    Raises:
        AblationError: if the marks would overlap or would not fit into the image.
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
        f"Two marks {distance} px apart, of the same kind or not. A network that never sees both at the same time is at most "
        f"{ADDITIVE_BOUND:.0f} % accurate: this shows when a large receptive field is needed, and nothing about photographs.",
    )


def distance_of(name: str) -> int:
    """Return the distance given in a data set's name, "longrange" or "longrange:DISTANCE".

    Raises:
        AblationError: if the distance is not a number.

    >>> distance_of("longrange:8")
    8
    """
    given = name.removeprefix(_PREFIX).removeprefix(":")
    if name != _PREFIX and not (given.isdecimal() and len(given) < 10):
        raise AblationError(
            f"{name!r} has no distance in pixels: expected {_PREFIX}, or for example {_PREFIX}:{DISTANCE}"
        )
    return int(given) if given else DISTANCE


@cache
def load_longrange(distance: int = DISTANCE) -> InMemory:
    """Return the data set with that distance between the marks: 4,096 training and 1,024 test images.

    Args:
        distance: between the left edges of the two marks, in pixels.

    Raises:
        AblationError: if the marks would overlap or would not fit into the image.
    """
    import torch

    from .in_memory import InMemory

    info = longrange_info(distance)
    images, labels = quadruples(distance)
    checksum = hashlib.sha256(images.tobytes() + labels.tobytes()).hexdigest()[:16]
    train, test = images[:_TRAIN], images[_TRAIN:]
    mean = int(train.sum(dtype=np.int64)) / train.size  # integer sums, so rounding is the same on every machine
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
        classes=("different", "same"),
    )


def quadruples(distance: int = DISTANCE) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return all images in groups of four: the four pairs of marks at the same position on the same noise.

    The training images come first.

    Args:
        distance: between the left edges of the two marks, in pixels.

    Returns:
        Images (Q, 4, SIZE, SIZE) from 0 to 255, with the pairs plus-plus, plus-cross, cross-plus, cross-cross, and their
        classes (Q, 4).
    """
    n = _TRAIN + _TEST
    bits = np.random.PCG64(_SEED)
    rows = (bits.random_raw(n) % (SIZE - MARK + 1)).astype(np.int64)
    columns = (bits.random_raw(n) % (SIZE - MARK - distance + 1)).astype(np.int64)
    words = bits.random_raw(n * SIZE * SIZE // 2).astype("<u8")
    random_bytes = words.view(np.uint8).reshape(n, SIZE, SIZE, 4).astype(np.uint16)
    noise = (random_bytes.sum(-1) >> 3).astype(np.uint8)  # (Q, SIZE, SIZE), from 0 to 127, approximately normal
    images = np.repeat(noise[:, None], 4, axis=1)
    kinds = np.array([_PLUS, _CROSS], dtype=np.uint8) * np.uint8(_BRIGHTNESS)
    pairs = [(left, right) for left in (0, 1) for right in (0, 1)]
    for quadruple, row, column in zip(images, rows, columns, strict=True):
        for image, (left, right) in zip(quadruple, pairs, strict=True):
            image[row : row + MARK, column : column + MARK] += kinds[left]
            image[row : row + MARK, column + distance : column + distance + MARK] += kinds[right]
    labels = np.array([int(left == right) for left, right in pairs], dtype=np.int64)
    return images, np.tile(labels, (n, 1))
