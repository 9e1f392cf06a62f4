"""How large the runs of the course are: one variable, ABLATION_SCALE, for all notebooks."""

from __future__ import annotations

import os
from typing import TypeVar

from ..errors import unknown

SCALES = ("fast", "normal", "full")
VARIABLE = "ABLATION_SCALE"

T = TypeVar("T")


def scale() -> str:
    """The scale of this session: "fast" (seconds, what the saved pages show) unless ABLATION_SCALE says otherwise.

    "normal" takes minutes for a training cell; "full" runs every seed and renews the stored results.

    Raises:
        AblationError: if ABLATION_SCALE names no scale.
    """
    given = os.environ.get(VARIABLE) or SCALES[0]
    if given not in SCALES:
        raise unknown(VARIABLE, given, SCALES)
    return given


def scaled(fast: T, normal: T, full: T) -> T:
    """The one of three values that belongs to the scale of this session.

    >>> len(scaled(fast=range(1), normal=range(3), full=range(5)))
    1
    """
    return dict(zip(SCALES, (fast, normal, full), strict=True))[scale()]
