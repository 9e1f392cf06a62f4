"""Size of the images that a module is measured on: one number for a square, or (height, width)."""

from __future__ import annotations

import operator
from typing import Any

from ..errors import AblationError

Size = int | tuple[int, int]


def image_shape(size: Any, in_chans: Any) -> tuple[int, int, int]:
    """Return the shape (channels, height, width) of an image.

    Args:
        size: side of a square image in pixels, or (height, width).
        in_chans: channels of the image.

    Raises:
        AblationError: if one of them is not a whole number of 1 or more.

    >>> image_shape((224, 320), 3)
    (3, 224, 320)
    """
    sides = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    if len(sides) != 2 or not all(is_positive(side) for side in sides):
        raise AblationError(
            f"size {size!r} must be the side of a square image in pixels, a whole number of 1 or more, or a pair "
            "(height, width) of them"
        )
    if not is_positive(in_chans):
        raise AblationError(f"in_chans {in_chans!r} must be a whole number of channels, 1 or more")
    return int(in_chans), int(sides[0]), int(sides[1])


def is_positive(number: Any) -> bool:
    """Return whether something is a whole number, of any library, and 1 or more."""
    try:
        return not isinstance(number, bool) and operator.index(number) >= 1
    except TypeError:
        return False
