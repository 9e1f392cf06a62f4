"""Weighted sums of the mean accuracies of several networks: main effects, interactions and Shapley values.

Networks trained with one recipe share one standard deviation within a network, but for those whose variance departs
(`contrasts.spread`). The degrees of freedom of a sum over several variances are those of Satterthwaite 1946, doi 10.2307/3002019.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from .contrasts import ALPHA, Array, critical, holm, spread
from .intervals import CONFIDENCE
from .power import smallest_effect


@dataclass(frozen=True)
class Sums:
    """Weighted sums with their standard errors and degrees of freedom, each (sums,); NaN where undefined.

    Args:
        value, error: in percentage points.
        df: degrees of freedom of the error.
        n: smallest number of seeds of a network that the sum rests on.
    """

    value: Array
    error: Array
    df: Array
    n: NDArray[np.intp]


def weighted_sums(values: Array, weights: Array, recipes: Sequence[Hashable] | None = None) -> Sums:
    """Return weighted sums of row means, with standard errors from the variances that rows of a recipe share.

    Args:
        values: accuracies (rows, seeds), NaN where one is missing.
        weights: (sums, rows).
        recipes: recipe of each row; by default the same for all.

    >>> found = weighted_sums(np.array([[70.0, 71.0, 72.0], [75.0, 76.0, 77.0]]), np.array([[-1.0, 1.0]]))
    >>> float(found.value[0]), round(float(found.error[0]), 3), float(found.df[0])
    (5.0, 0.816, 4.0)
    """
    if not values.shape[1]:
        values = np.full((len(values), 1), np.nan)
    labels = [""] * len(values) if recipes is None else list(recipes)
    present = ~np.isnan(values)
    n = present.sum(1)
    needed = weights != 0
    mean = np.where(present, values, 0.0).sum(1) / np.maximum(n, 1)
    within = spread(values, labels)
    source = [
        (label, i if departs else -1) for i, (label, departs) in enumerate(zip(labels, within.departs, strict=True))
    ]
    first = {key: source.index(key) for key in dict.fromkeys(source)}  # a row of each variance
    df = within.df[list(first.values())]
    of_source = np.array([[key == other for other in first] for key in source], dtype=np.float64).reshape(
        len(source), -1
    )
    # Squared standard errors by variance, (sums, variances).
    parts = np.where(needed, weights**2 / np.maximum(n, 1) * within.variance, 0.0) @ of_source
    squared_error = parts.sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = squared_error**2 / np.where(parts > 0, parts**2 / df, 0.0).sum(1)
    # Without any variance the degrees of freedom are those of the variances that are used.
    used = (needed.astype(np.float64) @ of_source > 0) * np.nan_to_num(df)
    freedom = np.where(squared_error > 0, freedom, np.where(np.isnan(squared_error), np.nan, used.sum(1)))
    undefined = (needed & (n == 0)).any(1)
    most = n.max(initial=0)
    return Sums(
        np.where(undefined, np.nan, weights @ mean),
        np.where(undefined, np.nan, np.sqrt(squared_error)),
        np.where(undefined, np.nan, freedom),
        np.where(needed, n, most).min(axis=1, initial=most),
    )


def effect_columns(name: str, sums: Sums) -> dict[str, Any]:
    """Return the columns of a table of effects: the value under its name, half_points, p, p_holm, smallest_effect, df and n."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where((sums.value == 0) & ~np.isnan(sums.error), 0.0, sums.value / sums.error)
    p = 2 * stdtr(sums.df, -np.abs(t))
    level = ALPHA / max(len(p), 1)
    pairs = zip(sums.error, sums.df, strict=True)
    return {
        name: sums.value,
        "half_points": critical(1 - CONFIDENCE, sums.df) * sums.error,
        "p": p,
        "p_holm": holm(p),
        "smallest_effect": [smallest_effect(float(error), float(df), level) for error, df in pairs],
        "df": sums.df,
        "n": sums.n,
    }
