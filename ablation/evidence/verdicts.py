"""The verdict on a step: the sign of the measured difference compared with the sign in the paper."""

from __future__ import annotations

from math import sqrt

from ..design.published import Published
from .intervals import Interval

_PAPER_SEEDS = 3


def published_sign(after: Published, before: Published) -> int:
    """Return the paper's sign of a step: 1, -1, or 0 where the difference is less than twice its standard error.

    Where the paper gives no standard deviation, this is the sign of the difference.
    """
    difference = after.accuracy - before.accuracy
    stds = (after.std, before.std)
    if None not in stds and abs(difference) < 2 * sqrt(sum(std**2 / _PAPER_SEEDS for std in stds if std)):
        return 0
    return (difference > 0) - (difference < 0)


def verdict(difference: Interval | None, sign: int) -> str:
    """Compare a measured difference with the paper's sign.

    Returns:
        "agrees", "reverses", "within noise" or "differs"; "" without an interval.

    >>> verdict(Interval(1.0, 0.5), sign=1), verdict(Interval(1.0, 0.5), sign=-1), verdict(Interval(1.0, 2.0), sign=1)
    ('agrees', 'reverses', 'within noise')
    """
    if difference is None or difference.half is None:
        return ""
    if abs(difference.mean) <= difference.half:
        return "agrees" if sign == 0 else "within noise"
    if sign == 0:
        return "differs"
    return "agrees" if (difference.mean > 0) == (sign > 0) else "reverses"
