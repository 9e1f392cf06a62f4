"""What steps are worth: tables of means, differences, main effects, interactions and Shapley values.

Everything is paired by seed: an effect is computed within each seed, and its interval is Student's over the seeds. A seed
for which a trial is missing is left out of every row that would need it, and each row says how many seeds it stands on
and which. Accuracies are top-1 in percent, effects and their intervals in percentage points; an interval is the
half-width at 95 %. What cannot be known, such as an interval from one seed, is NaN.

Shapley 1953, "A value for n-person games"; from random orders: Castro, Gomez and Tejada 2009, doi 10.1016/j.cor.2008.04.004.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..errors import AblationError
from .analysis import CONFIDENCE
from .designs import Design

Accuracies = Mapping[str, Mapping[int, float]]  # name of the point -> seed -> top-1 in percent
Array = NDArray[np.float64]


def tables(design: Design, accuracies: Accuracies) -> dict[str, pd.DataFrame]:
    """Every table that a design allows, by title.

    Args:
        design: what was asked.
        accuracies: what came of it, by point and seed, as `designs.accuracies` gives them.

    Raises:
        AblationError: for accuracies of a point that the design does not have.
    """
    found = {"points": summary(design, accuracies)}
    if design.name == "ladder":
        found["differences"] = differences(design, accuracies)
    if design.name in ("leave-one-out", "factorial"):
        found["leave-one-out"] = leave_one_out(design, accuracies)
    if design.name in ("one-at-a-time", "factorial"):
        found["one-at-a-time"] = one_at_a_time(design, accuracies)
    if design.name == "factorial":
        found["main effects"] = main_effects(design, accuracies)
        found["interactions"] = interactions(design, accuracies)
    if design.name in ("factorial", "orderings"):
        found["Shapley values"] = shapley(design, accuracies)
    return found


def summary(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Each point by itself.

    Args, errors: as for `tables`.

    Returns:
        point, title, accuracy_percent (mean over seeds), std_points, half_points, n, seeds.
    """
    values, seeds = _values(design, accuracies)
    mean, std, half = _interval(values)
    columns = {"accuracy_percent": mean, "std_points": std, "half_points": half}
    labels = {"point": [point.name for point in design], "title": [point.title for point in design]}
    return pd.DataFrame({**labels, **columns, **_seeds(values, seeds)})


def differences(design: Design, accuracies: Accuracies, pairs: Iterable[tuple[str, str]] | None = None) -> pd.DataFrame:
    """How far points are from others, over the seeds that both have.

    Args:
        design, accuracies: as for `tables`.
        pairs: (after, before) by name; by default each point and the one it is compared with.

    Returns:
        after, before, difference_points (after minus before), half_points, n, seeds.

    Raises:
        AblationError: as for `tables`, and for a name that is no point of the design.
    """
    if pairs is None:
        pairs = [(point.name, point.previous) for point in design if point.previous is not None]
    pairs = list(pairs)
    change, seeds = _differences(design, accuracies, pairs)
    labels = {"after": [after for after, _ in pairs], "before": [before for _, before in pairs]}
    return _table(labels, "difference_points", change, seeds)


def leave_one_out(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """What each step is worth at the end: the end minus the end without it.

    Args: as for `tables`; the design must have these points, as leave-one-out and factorial do.

    Returns:
        step, effect_points, half_points, n, seeds.

    Raises:
        AblationError: as for `tables`, and if a point is not in the design.
    """
    names, every = _names(design), frozenset(design.steps)
    pairs = [(_find(design, names, every), _find(design, names, every - {step})) for step in design.steps]
    return _table({"step": design.steps}, "effect_points", *_differences(design, accuracies, pairs))


def one_at_a_time(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """What each step is worth at the start: the step alone minus the start.

    Args: as for `tables`; the design must have these points, as one-at-a-time and factorial do.

    Returns, errors: as for `leave_one_out`.
    """
    names, none = _names(design), frozenset[str]()
    pairs = [(_find(design, names, none | {step}), _find(design, names, none)) for step in design.steps]
    return _table({"step": design.steps}, "effect_points", *_differences(design, accuracies, pairs))


def main_effects(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """What each step is worth on average over every set of the others.

    Args: as for `tables`; the design must be a full factorial.

    Returns:
        step, effect_points (mean of all networks with it minus mean of all without), half_points, n, seeds.
        Only seeds for which every network is there are used.

    Raises:
        AblationError: as for `tables`, and if the design is no full factorial.
    """
    values, seeds = _complete(design, accuracies)
    effects = _signs(design) @ values * (2 / len(values))
    return _table({"step": design.steps}, "effect_points", effects, seeds)


def interactions(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """How much more each step is worth where another one is taken too, on average over every set of the rest.

    Args, errors: as for `main_effects`.

    Returns:
        step, other, interaction_points (the effect of the one with the other, minus its effect without; the same for both, and
        twice what textbooks that halve it print), half_points, n, seeds. Above 0 they help, below 0 they replace each other.
    """
    values, seeds = _complete(design, accuracies)
    signs, pairs = _signs(design), list(combinations(range(len(design.steps)), 2))
    products = np.stack([signs[i] * signs[j] for i, j in pairs]) if pairs else np.empty((0, len(values)))
    labels = {"step": [design.steps[i] for i, _ in pairs], "other": [design.steps[j] for _, j in pairs]}
    return _table(labels, "interaction_points", products @ values * (4 / len(values)), seeds)


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
    values, seeds = _complete(design, accuracies)
    signs, k = _signs(design), len(design.steps)
    taken = (signs > 0).sum(0)  # steps in each subset
    with_step = np.array([factorial(max(size - 1, 0)) * factorial(k - size) for size in range(k + 1)]) / factorial(k)
    without = np.array([factorial(size) * factorial(max(k - size - 1, 0)) for size in range(k + 1)]) / factorial(k)
    contributions = np.where(signs > 0, with_step[taken], -without[taken]) @ values  # (steps, seeds)
    mean, std, _ = _interval(contributions)
    known = _seeds(contributions, seeds)
    error = std / np.sqrt(np.maximum(known["n"], 1))
    return pd.DataFrame({"step": design.steps, "shapley_points": mean, "se_points": error, "orders": 0, **known})


def _shapley_of_orders(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    values, seeds = _values(design, accuracies)
    names = _names(design)
    rows = {point.name: row for row, point in enumerate(design)}
    paths = np.array(
        [
            [rows[_find(design, names, frozenset(order[:size]))] for size in range(len(order) + 1)]
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


def _values(design: Design, accuracies: Accuracies) -> tuple[Array, list[int]]:
    """(points, seeds), NaN where a trial is missing, and the seeds."""
    names = {point.name for point in design}
    for name in accuracies:
        if name not in names:
            raise AblationError(f"accuracies are given for {name!r}, which is no point of design {design.name!r}")
    seeds = sorted({seed for by_seed in accuracies.values() for seed in by_seed})
    column = {seed: i for i, seed in enumerate(seeds)}
    values = np.full((len(design), len(seeds)), np.nan)
    for row, point in enumerate(design):
        for seed, accuracy in accuracies.get(point.name, {}).items():
            values[row, column[seed]] = accuracy
    return values, seeds


def _differences(design: Design, accuracies: Accuracies, pairs: Sequence[tuple[str, str]]) -> tuple[Array, list[int]]:
    values, seeds = _values(design, accuracies)
    rows = {point.name: row for row, point in enumerate(design)}
    for name in (name for pair in pairs for name in pair):
        if name not in rows:
            raise AblationError(f"{name!r} is no point of design {design.name!r}")
    after = values[[rows[name] for name, _ in pairs]]
    return after - values[[rows[name] for _, name in pairs]], seeds


def _complete(design: Design, accuracies: Accuracies) -> tuple[Array, list[int]]:
    """(points, seeds) of a full factorial, only the seeds for which every point is there."""
    subsets = {frozenset(point.steps) for point in design}
    if len(design) != 2 ** len(design.steps) or len(subsets) != len(design):
        raise AblationError(
            f"main effects, interactions and exact Shapley values need every subset of the {len(design.steps)} steps; design "
            f"{design.name!r} is no full factorial. Possible: factorial (and orderings for Shapley values)"
        )
    values, seeds = _values(design, accuracies)
    whole = np.flatnonzero(~np.isnan(values).any(0))
    return values[:, whole], [seeds[column] for column in whole]


def _signs(design: Design) -> Array:
    """(steps, points), 1 where the point takes the step and -1 where it does not."""
    return np.array([[1.0 if step in point.steps else -1.0 for point in design] for step in design.steps])


def _names(design: Design) -> dict[frozenset[str], str]:
    return {frozenset(point.steps): point.name for point in design}


def _find(design: Design, names: Mapping[frozenset[str], str], taken: frozenset[str]) -> str:
    if taken not in names:
        given = " + ".join(step for step in design.steps if step in taken) or "no step"
        raise AblationError(f"design {design.name!r} has no point that takes {given}")
    return names[taken]


def _table(labels: Mapping[str, Sequence[str]], name: str, values: Array, seeds: list[int]) -> pd.DataFrame:
    mean, _, half = _interval(values)
    return pd.DataFrame({**labels, name: mean, "half_points": half, **_seeds(values, seeds)})


def _seeds(values: Array, seeds: list[int]) -> dict[str, NDArray]:
    """How many seeds each row stands on, and which."""
    there = ~np.isnan(values)
    numbers = np.array(list(map(str, seeds)), dtype=object)
    return {"n": there.sum(1), "seeds": np.array([" ".join(numbers[row]) for row in there], dtype=object)}


def _interval(values: Array) -> tuple[Array, Array, Array]:
    """Mean, standard deviation and half-width of the t-interval of each row, over what is not NaN."""
    there = ~np.isnan(values)
    n = there.sum(1)
    mean = np.where(n > 0, np.where(there, values, 0).sum(1) / np.maximum(n, 1), np.nan)
    squares = np.where(there, (values - mean[:, None]) ** 2, 0).sum(1)
    std = np.where(n > 1, np.sqrt(squares / np.maximum(n - 1, 1)), np.nan)
    return mean, std, stdtrit(np.maximum(n - 1, 1), 0.5 + CONFIDENCE / 2) * std / np.sqrt(np.maximum(n, 1))
