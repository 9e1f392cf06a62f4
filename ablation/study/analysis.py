"""What outcomes say: means, intervals, paired differences, and a verdict on each step against the paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from ..design.published import Published

CONFIDENCE = 0.95
_PAPER_SEEDS = 3


@dataclass(frozen=True)
class Interval:
    """A mean and the half-width of its 95 % t-interval; None for fewer than two values.

    >>> mean_interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, half=2.48413771...)
    """

    mean: float
    half: float | None


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean and 95 % t-interval of independent values."""
    from scipy.stats import t

    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return Interval(mean, None)
    std = sqrt(sum((value - mean) ** 2 for value in values) / (n - 1))
    return Interval(mean, float(t.ppf(0.5 + CONFIDENCE / 2, n - 1)) * std / sqrt(n))


def paired_difference(after: dict[int, float], before: dict[int, float]) -> Interval | None:
    """Mean and interval of after minus before over the seeds that both have; None if there are none."""
    seeds = sorted(set(after) & set(before))
    return mean_interval([after[seed] - before[seed] for seed in seeds]) if seeds else None


def published_sign(after: Published, before: Published) -> int:
    """The paper's sign of a step: 1, -1, or 0 where the difference is less than twice its standard error.

    Where the paper gives no standard deviation, the sign is that of the difference.
    """
    difference = after.accuracy - before.accuracy
    stds = (after.std, before.std)
    if None not in stds and abs(difference) < 2 * sqrt(sum(std**2 / _PAPER_SEEDS for std in stds if std)):
        return 0
    return (difference > 0) - (difference < 0)


def verdict(difference: Interval | None, sign: int) -> str:
    """How a measured difference stands to the paper's sign.

    Returns:
        "agrees", "reverses", "within noise" or "differs"; "" where there is no interval to judge by.

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
