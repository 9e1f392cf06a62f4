"""Shapley values of steps, exact from a full factorial or estimated from random orders.

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
    check_factorial,
    find_point,
    merge_equal_points,
    names_by_steps,
    seed_matrix,
    step_signs,
)
from .weighted_sums import Sums, effect_columns, weighted_sums


def shapley(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return the effect of each step, averaged over all orders of the steps; the values add up to end minus start.

    From a full factorial the values are exact sums of mean accuracies, and the standard error comes from the standard deviation
    that all points share. From random orders they are means of the step's contributions, and the standard error is that of a
    mean over two crossed random factors, orders and seeds, with Satterthwaite's degrees of freedom: the orders of a seed share
    points, so their contributions are not independent. With one seed, or one order, it covers only the variation of the other
    factor. If trials of random orders are missing, either whole orders or whole seeds are omitted, whichever keeps more values,
    so that all rows are based on the same orders and seeds. The values add up in both cases.

    Args: as for `tables`; the design must be a full factorial or orderings.

    Returns:
        step, shapley_points, half_points, p, p_holm, smallest_effect, df, n, se_points, orders (number used; 0 for exact values).

    Raises:
        AblationError: as for `tables`, and if the design is neither.
    """
    if design.orders:
        return _shapley_from_orders(design, accuracies)
    check_factorial(design)
    values, _ = seed_matrix(design, accuracies)
    signs, k = step_signs(design), len(design.steps)
    taken = (signs > 0).sum(0)  # steps in each subset
    with_step = np.array([factorial(max(size - 1, 0)) * factorial(k - size) for size in range(k + 1)]) / factorial(k)
    without = np.array([factorial(size) * factorial(max(k - size - 1, 0)) for size in range(k + 1)]) / factorial(k)
    weights = np.where(signs > 0, with_step[taken], -without[taken])
    return _table(design, weighted_sums(*merge_equal_points(design, values, weights)), 0)


def _table(design: Design, sums: Sums, orders: int) -> pd.DataFrame:
    columns = effect_columns("shapley_points", sums)
    return pd.DataFrame({"step": design.steps, **columns, "se_points": sums.error, "orders": orders})


def _shapley_from_orders(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    values, _ = seed_matrix(design, accuracies)
    names = names_by_steps(design)
    rows = {point.name: row for row, point in enumerate(design)}
    paths = np.array(
        [
            [rows[find_point(design, names, frozenset(order[:size]))] for size in range(len(order) + 1)]
            for order in design.orders
        ]
    )
    positions = np.array([[order.index(step) for step in design.steps] for order in design.orders])
    path_values = values[paths]  # (orders, steps + 1, seeds)
    kept_orders, kept_seeds = _largest_complete(~np.isnan(path_values).any(1))
    path_values, positions = path_values[kept_orders][:, :, kept_seeds], positions[kept_orders]
    gains = np.take_along_axis(np.diff(path_values, axis=1), positions[:, :, None], axis=1)  # (orders, steps, seeds)
    gains = gains.transpose(1, 0, 2)  # (steps, orders, seeds)
    count = gains.shape[1] * gains.shape[2]
    mean = gains.mean((1, 2)) if count else np.full(len(design.steps), np.nan)
    error, df = _crossed_error(gains)
    n = np.full(len(design.steps), len(kept_seeds))
    return _table(design, Sums(mean, error, df, n), len(kept_orders))


def _crossed_error(values: Array) -> tuple[Array, Array]:
    """Return the standard error of a mean over two crossed random factors, from the mean squares of a two-way layout.

    Args:
        values: (rows, orders, seeds).

    Returns:
        The standard error and Satterthwaite's degrees of freedom (1946, doi 10.2307/3002019) of each row.
    """
    rows, m, n = values.shape
    if m * n < 2:
        return np.full(rows, np.nan), np.full(rows, np.nan)
    order_means, seed_means = values.mean(2, keepdims=True), values.mean(1, keepdims=True)
    mean = order_means.mean(1, keepdims=True)
    df = np.maximum([[m - 1], [n - 1], [(m - 1) * (n - 1)]], 1)
    between_orders = n * ((order_means - mean) ** 2).sum((1, 2))
    between_seeds = m * ((seed_means - mean) ** 2).sum((1, 2))
    residual = ((values - order_means - seed_means + mean) ** 2).sum((1, 2))
    squares = np.stack([between_orders, between_seeds, residual]) / df
    # A factor whose mean square does not exceed the residual's is taken to have no variance of its own.
    parts = np.where(squares[:2] > squares[2], squares[:2], 0.0)
    parts = np.vstack([parts, squares[2] * (1 - (parts > 0).sum(0))])
    variance = parts.sum(0)
    with np.errstate(invalid="ignore"):
        freedom = variance**2 / (parts**2 / df).sum(0)
    return np.sqrt(variance / (m * n)), np.where(variance > 0, freedom, df[2])


def _largest_complete(present: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of a mask among which nothing is missing, chosen greedily to keep many values."""
    fullest = np.argsort(-present.sum(0), kind="stable")
    # Number of rows that are complete in the 1, 2, ... fullest columns.
    complete = np.logical_and.accumulate(present[:, fullest], axis=1).sum(0)
    kept = complete * np.arange(1, len(fullest) + 1)
    if not kept.any():
        return np.empty(0, np.intp), np.empty(0, np.intp)
    best = len(kept) - 1 - int(np.argmax(kept[::-1]))  # of equal sizes the one with more seeds
    columns = np.sort(fullest[: best + 1])
    return np.flatnonzero(present[:, columns].all(1)), columns
