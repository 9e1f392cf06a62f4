"""Means of independent values with their 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and the half-width of its 95 % t-interval; None for fewer than two values.

    >>> mean_interval([1.0, 2.0, 3.0])
    Interval(mean=2.0, half=2.48413771...)
    """

    mean: float
    half: float | None


def mean_interval(values: Sequence[float]) -> Interval:
    """Return the mean and 95 % t-interval of independent values."""
    (mean,), _, (half,) = mean_intervals(np.array([values], dtype=np.float64))
    return Interval(float(mean), float(half) if len(values) > 1 else None)


def mean_intervals(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return means and 95 % t-intervals of several samples.

    Args:
        values: (samples, n), NaN where a value is missing.

    Returns:
        Mean, standard deviation and half-width of the interval of each sample, each (samples,); NaN where undefined.
    """
    present = ~np.isnan(values)
    n = present.sum(1)
    mean = np.where(n > 0, np.where(present, values, 0).sum(1) / np.maximum(n, 1), np.nan)
    squares = np.where(present, (values - mean[:, None]) ** 2, 0).sum(1)
    std = np.where(n > 1, np.sqrt(squares / np.maximum(n - 1, 1)), np.nan)
    return mean, std, stdtrit(np.maximum(n - 1, 1), 0.5 + CONFIDENCE / 2) * std / np.sqrt(np.maximum(n, 1))
