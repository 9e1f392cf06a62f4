"""Contrasts of steps: differences of mean accuracy, with p-values that are corrected for the number of steps.

Rows trained with one recipe share one standard deviation, pooled over them with their degrees of freedom summed: three seeds
alone leave a row two degrees of freedom. Where a row's own variance departs from that of the others (Brown and Forsythe 1974,
doi 10.1080/01621459.1974.10482955), or two recipes are compared, the test is that of Welch 1947, doi 10.1093/biomet/34.1-2.28.
The p-values of a ladder are corrected by Holm 1979, https://www.jstor.org/stable/4615733. Nothing is paired by seed: two
networks draw different numbers from one seed, and on our ladders the seed's share of the variance is nil.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit
from scipy.stats import ttest_ind_from_stats

from ..errors import AblationError, unknown
from .intervals import CONFIDENCE
from .power import smallest_effect

Array = NDArray[np.float64]

ALPHA = 1 - CONFIDENCE
DEPARTURE = 0.01  # p-value below which a row's variance counts as its own
LEAST_SEEDS = 3  # of a row, below which its variance is not tested and its step has no verdict


@dataclass(frozen=True)
class Spread:
    """Variances by which rows are compared.

    Args:
        variance, df: variance within each row and its degrees of freedom, (..., rows): the pooled ones of the row's recipe, or
            its own where it departs.
        departs: whether the row's variance departs from that of the other rows of its recipe, (..., rows).
    """

    variance: Array
    df: Array
    departs: NDArray[np.bool_]


@dataclass(frozen=True)
class Estimates:
    """Contrasts of many ladders at once, each (..., steps); see `Contrast`."""

    difference: Array
    error: Array
    df: Array
    p: Array
    welch: NDArray[np.bool_]


@dataclass(frozen=True)
class Contrast:
    """The contrast of one step: the mean accuracy of the row after it minus that of the row before.

    Values that cannot be computed, as without a second seed in any row, are NaN.

    Args:
        difference: in percentage points.
        half: half-width of its 95 % interval, in points.
        equivalence_half: half-width of its 90 % interval: within a margin, two one-sided tests at 5 % show equivalence.
        p, p_holm: p-value of a difference of zero, and Holm's over all steps.
        smallest_effect: smallest difference, in points, that is found with 80 % power by a design with this error, after
            Holm's correction.
        df: degrees of freedom.
        welch: whether Welch's test was used, instead of the pooled standard deviation.
        n: smaller of the two rows' numbers of seeds.
        diverged: number of seeds of the two rows that diverged and have no accuracy.
    """

    difference: float
    half: float
    equivalence_half: float
    p: float
    p_holm: float
    smallest_effect: float
    df: float
    welch: bool
    n: int
    diverged: int = 0


def contrasts(
    accuracies: Mapping[str, Mapping[int, float]],
    recipes: Mapping[str, Hashable],
    pairs: Sequence[tuple[str, str]],
    diverged: Mapping[str, int] | None = None,
) -> list[Contrast]:
    """Return the contrast of each step of a ladder.

    Args:
        accuracies: name of each row -> seed -> top-1 in percent. Also rows that are in no pair add to the pooled deviation.
        recipes: name of each row -> the recipe it is trained with.
        pairs: (after, before) by name: the steps over which p-values are corrected. A step without a p-value counts, too, so
            that a verdict does not change when a missing row is added.
        diverged: name of a row -> number of its seeds that diverged.

    Returns:
        One contrast per pair.

    Raises:
        AblationError: if a row of a pair has no entry, or a row no recipe.

    >>> measured = {"a": {0: 70.0, 1: 71.0, 2: 72.0}, "b": {0: 75.0, 1: 76.0, 2: 77.0}}
    >>> (step,) = contrasts(measured, {"a": "micro", "b": "micro"}, [("b", "a")])
    >>> step.difference, round(step.half, 2), step.df, round(step.p, 4), step.welch
    (5.0, 2.27, 4.0, 0.0036, False)
    """
    names = list(accuracies)
    for name in (name for pair in pairs for name in pair):
        if name not in accuracies:
            raise unknown("row", name, names)
    without = [name for name in names if name not in recipes]
    if without:
        raise AblationError(f"row {without[0]!r} has accuracies and no recipe")
    seeds = sorted({seed for by_seed in accuracies.values() for seed in by_seed}) or [0]
    values = np.array([[accuracies[name].get(seed, np.nan) for seed in seeds] for name in names], dtype=np.float64)
    values = values.reshape(len(names), len(seeds))
    positions = np.array([[names.index(name) for name in pair] for pair in pairs], dtype=np.intp).reshape(-1, 2)
    found = estimate(values, [recipes[name] for name in names], positions)
    halves = {share: critical(1 - share, found.df) * found.error for share in (CONFIDENCE, 2 * CONFIDENCE - 1)}
    p_holm, level = holm(found.p), ALPHA / max(len(pairs), 1)
    lost = diverged or {}
    return [
        Contrast(
            difference=float(found.difference[i]),
            half=float(halves[CONFIDENCE][i]),
            equivalence_half=float(halves[2 * CONFIDENCE - 1][i]),
            p=float(found.p[i]),
            p_holm=float(p_holm[i]),
            smallest_effect=smallest_effect(float(found.error[i]), float(found.df[i]), level),
            df=float(found.df[i]),
            welch=bool(found.welch[i]),
            n=min(len(accuracies[after]), len(accuracies[before])),
            diverged=lost.get(after, 0) + lost.get(before, 0),
        )
        for i, (after, before) in enumerate(pairs)
    ]


def estimate(values: Array, recipes: Sequence[Hashable], pairs: NDArray[np.intp]) -> Estimates:
    """Return difference, standard error, degrees of freedom and p-value of each contrast, of one ladder or of many.

    Args:
        values: accuracies (..., rows, seeds), NaN where one is missing.
        recipes: recipe of each row.
        pairs: rows (after, before) of each step, (steps, 2).
    """
    n, mean, squares = _moments(values)
    shared = spread(values, recipes)
    after, before = pairs.T
    group = _groups(recipes)
    welch = (group[after] != group[before]) | shared.departs[..., after] | shared.departs[..., before]
    with np.errstate(divide="ignore", invalid="ignore"):
        own = squares / np.where(n > 1, n - 1, np.nan) / n  # squared standard errors of the means
        own_error = own[..., after] + own[..., before]
        parts = own[..., after] ** 2 / (n[..., after] - 1) + own[..., before] ** 2 / (n[..., before] - 1)
        both = (n[..., after] - 1) + (n[..., before] - 1)
        own_df = np.where(parts > 0, own_error**2 / parts, np.where(np.isnan(own_error), np.nan, both))
        pooled_error = shared.variance[..., after] * (1 / n[..., after] + 1 / n[..., before])
        difference = mean[..., after] - mean[..., before]
        error = np.sqrt(np.where(welch, own_error, pooled_error))
        error = np.where(np.isnan(difference), np.nan, error)
        df = np.where(welch, own_df, shared.df[..., after])
        t = np.where((difference == 0) & ~np.isnan(error), 0.0, difference / error)
    return Estimates(difference, error, df, 2 * stdtr(df, -np.abs(t)), welch)


def spread(values: Array, recipes: Sequence[Hashable]) -> Spread:
    """Return the variances by which rows are compared: pooled within each recipe over the rows that do not depart.

    Args: as for `estimate`.
    """
    n, _, squares = _moments(values)
    departs = _departures(values, recipes)
    df = np.maximum(n - 1, 0.0)
    same = _same_recipe(recipes)
    alone = np.eye(len(recipes), dtype=bool)
    shared = np.where(
        departs[..., :, None], alone, same & ~departs[..., None, :]
    )  # (..., rows, rows whose squares it adds)
    total_df = (shared * df[..., None, :]).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (shared * squares[..., None, :]).sum(-1) / total_df
    return Spread(variance, np.where(total_df > 0, total_df, np.nan), departs)


def holm(p: Array) -> Array:
    """Return Holm's p-values over the last axis. NaN counts as one of the tests, as if its p-value were 1, and stays NaN.

    >>> holm(np.array([0.01, 0.04, 0.03, 0.005])).round(3).tolist()
    [0.03, 0.06, 0.06, 0.02]
    """
    order = np.argsort(p, axis=-1)  # NaN last
    ranked = np.take_along_axis(p, order, -1) * np.arange(p.shape[-1], 0, -1)
    adjusted = np.empty_like(p)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(ranked, axis=-1), 1.0), -1)
    return np.where(np.isnan(p), np.nan, adjusted)


def critical(alpha: float, df: Array) -> Array:
    """Return the two-sided critical value of Student's t; NaN without degrees of freedom."""
    known = np.where(df > 0, df, 1.0)
    return np.where(df > 0, stdtrit(known, 1 - alpha / 2), np.nan)


def _departures(values: Array, recipes: Sequence[Hashable]) -> NDArray[np.bool_]:
    """Return whether the variance of each row departs from that of all other rows of its recipe together.

    Brown and Forsythe's test is an analysis of variance of the distances from each row's median; of two groups, as here, it is
    the t-test with equal variances.
    """
    present = ~np.isnan(values)
    filled = np.where(present.any(-1, keepdims=True), values, 0.0)
    distances = np.where(present, np.abs(values - np.nanmedian(filled, axis=-1, keepdims=True)), np.nan)
    n, mean, squares = _moments(distances)
    tested = n >= LEAST_SEEDS
    others = _same_recipe(recipes) & ~np.eye(len(recipes), dtype=bool) & tested[..., None, :]
    others_n = (others * n[..., None, :]).sum(-1)
    sums = np.where(n > 0, mean, 0.0) * n
    with np.errstate(divide="ignore", invalid="ignore"):
        others_mean = (others * sums[..., None, :]).sum(-1) / others_n
        apart = np.where(others, mean[..., None, :] - others_mean[..., :, None], 0.0)
        others_squares = (others * squares[..., None, :]).sum(-1) + (others * n[..., None, :] * apart**2).sum(-1)
        own_std, others_std = np.sqrt(squares / (n - 1)), np.sqrt(others_squares / (others_n - 1))
        p = ttest_ind_from_stats(mean, own_std, n, others_mean, others_std, others_n).pvalue
    return tested & (p < DEPARTURE)


def _moments(values: Array) -> tuple[Array, Array, Array]:
    """Return number, mean and sum of squared deviations of the values over the last axis that are not NaN."""
    present = ~np.isnan(values)
    n = present.sum(-1).astype(np.float64)
    mean = np.where(n > 0, np.where(present, values, 0.0).sum(-1) / np.maximum(n, 1), np.nan)
    squares = np.where(present, (values - mean[..., None]) ** 2, 0.0).sum(-1)
    return n, mean, squares


def _groups(recipes: Sequence[Hashable]) -> NDArray[np.intp]:
    numbers = {recipe: i for i, recipe in enumerate(dict.fromkeys(recipes))}
    return np.array([numbers[recipe] for recipe in recipes], dtype=np.intp)


def _same_recipe(recipes: Sequence[Hashable]) -> NDArray[np.bool_]:
    group = _groups(recipes)
    return group[:, None] == group
