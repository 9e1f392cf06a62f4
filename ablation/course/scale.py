"""The size of the course's runs, set by the environment variable ABLATION_SCALE for all notebooks."""

from __future__ import annotations

import os
from typing import TypeVar

from ..errors import unknown

SCALES = ("fast", "normal", "full")
VARIABLE = "ABLATION_SCALE"

T = TypeVar("T")


def scale() -> str:
    """Return the current scale, the value of ABLATION_SCALE.

    "fast", the default, takes seconds; the saved notebooks were run with it. "normal" takes minutes per training cell.
    "full" runs every seed and updates the stored results.

    Raises:
        AblationError: if ABLATION_SCALE is not one of these.
    """
    given = os.environ.get(VARIABLE) or SCALES[0]
    if given not in SCALES:
        raise unknown(VARIABLE, given, SCALES)
    return given


def scaled(fast: T, normal: T, full: T) -> T:
    """Return the value for the current scale.

    >>> len(scaled(fast=range(1), normal=range(3), full=range(5)))
    1
    """
    return dict(zip(SCALES, (fast, normal, full), strict=True))[scale()]
