"""Shapley values of the steps, exact from a full factorial or estimated from random orders.

Shapley 1953, "A value for n-person games"; from random orders: Castro, Gomez and Tejada 2009, doi 10.1016/j.cor.2008.04.004.
"""

from __future__ import annotations

from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..study.designs import Design
from .accuracies import (
    Accuracies,
    Array,
    complete_seeds,
    find_point,
    names_by_steps,
    seed_columns,
    seed_matrix,
    step_signs,
)
from .intervals import mean_intervals


def shapley(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """What each step is worth on average over every order of the steps: values that add up to end minus start.

    Exact where every set of steps was trained; its standard error is over seeds. From random orders it is the mean of the
    step's contributions, and the standard error is that of a mean over orders and seeds, crossed: both vary. With one
    seed, or one order, it knows only of the other. Where trials are missing, whole orders or whole seeds are left out, whichever
    keeps more, so that every row stands on the same orders and seeds and the values still add up.

    Args: as for `tables`; the design must be a full factorial or orderings.

    Returns:
        step, shapley_points, se_points, orders (used; 0 where it is exact), n, seeds.

    Raises:
        AblationError: as for `tables`, and if the design is neither.
    """
    if design.orders:
        return _shapley_of_orders(design, accuracies)
    values, seeds = complete_seeds(design, accuracies)
    signs, k = step_signs(design), len(design.steps)
    taken = (signs > 0).sum(0)  # steps in each subset
    with_step = np.array([factorial(max(size - 1, 0)) * factorial(k - size) for size in range(k + 1)]) / factorial(k)
    without = np.array([factorial(size) * factorial(max(k - size - 1, 0)) for size in range(k + 1)]) / factorial(k)
    contributions = np.where(signs > 0, with_step[taken], -without[taken]) @ values  # (steps, seeds)
    mean, std, _ = mean_intervals(contributions)
    known = seed_columns(contributions, seeds)
    error = std / np.sqrt(np.maximum(known["n"], 1))
    return pd.DataFrame({"step": design.steps, "shapley_points": mean, "se_points": error, "orders": 0, **known})


def _shapley_of_orders(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    values, seeds = seed_matrix(design, accuracies)
    names = names_by_steps(design)
    rows = {point.name: row for row, point in enumerate(design)}
    paths = np.array(
        [
            [rows[find_point(design, names, frozenset(order[:size]))] for size in range(len(order) + 1)]
            for order in design.orders
        ]
    )
    places = np.array([[order.index(step) for step in design.steps] for order in design.orders])
    along = values[paths]  # (orders, steps + 1, seeds)
    kept_orders, kept_seeds = _largest_whole(~np.isnan(along).any(1))
    along, places = along[kept_orders][:, :, kept_seeds], places[kept_orders]
    gains = np.take_along_axis(np.diff(along, axis=1), places[:, :, None], axis=1)  # (orders, steps, seeds)
    gains = gains.transpose(1, 0, 2)  # (steps, orders, seeds)
    used = [seeds[column] for column in kept_seeds]
    count = gains.shape[1] * gains.shape[2]
    mean = gains.mean((1, 2)) if count else np.full(len(design.steps), np.nan)
    return pd.DataFrame(
        {
            "step": design.steps,
            "shapley_points": mean,
            "se_points": _crossed_error(gains),
            "orders": len(kept_orders),
            "n": len(used),
            "seeds": " ".join(map(str, used)),
        }
    )


def _crossed_error(values: Array) -> Array:
    """Standard error of the mean over two crossed random factors, by the mean squares of a two-way layout.

    Args:
        values: (rows, orders, seeds).
    """
    rows, m, n = values.shape
    if m * n < 2:
        return np.full(rows, np.nan)
    of_orders, of_seeds = values.mean(2, keepdims=True), values.mean(1, keepdims=True)
    mean = of_orders.mean(1, keepdims=True)
    between_orders = n * ((of_orders - mean) ** 2).sum((1, 2)) / max(m - 1, 1)
    between_seeds = m * ((of_seeds - mean) ** 2).sum((1, 2)) / max(n - 1, 1)
    rest = ((values - of_orders - of_seeds + mean) ** 2).sum((1, 2)) / max((m - 1) * (n - 1), 1)
    variance = rest + np.maximum(between_orders - rest, 0) + np.maximum(between_seeds - rest, 0)
    return np.sqrt(variance / (m * n))


def _largest_whole(there: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of a table of what is there, chosen so that nothing among them is missing and much is kept."""
    fullest = np.argsort(-there.sum(0), kind="stable")
    whole = np.logical_and.accumulate(there[:, fullest], axis=1).sum(0)  # rows whole in the fullest 1, 2, ... columns
    kept = whole * np.arange(1, len(fullest) + 1)
    if not kept.any():
        return np.empty(0, np.intp), np.empty(0, np.intp)
    best = len(kept) - 1 - int(np.argmax(kept[::-1]))  # of equals the one with more seeds
    columns = np.sort(fullest[: best + 1])
    return np.flatnonzero(there[:, columns].all(1)), columns
