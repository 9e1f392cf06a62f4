"""Effects of steps: tables of means, differences, main effects, interactions and Shapley values.

All effects are paired by seed: an effect is computed within each seed, and its interval is Student's t over the seeds.
A seed for which a trial is missing is omitted from every row that needs it; each row lists the seeds that it is based on.
Accuracies are top-1 in percent, effects and intervals in percentage points; an interval is the half-width at 95 %.
Undefined values, such as an interval from one seed, are NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ..errors import AblationError
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
from .shapley import shapley


def tables(design: Design, accuracies: Accuracies) -> dict[str, pd.DataFrame]:
    """Return all tables that can be computed from a design, by title.

    Args:
        design: the design.
        accuracies: its accuracies by point and seed, from `accuracies.accuracies`.

    Raises:
        AblationError: if accuracies are given for a point that the design does not have.
    """
    result = {"points": summary(design, accuracies)}
    if design.name in ("leave-one-out", "factorial"):
        result["leave-one-out"] = leave_one_out(design, accuracies)
    if design.name in ("one-at-a-time", "factorial"):
        result["one-at-a-time"] = one_at_a_time(design, accuracies)
    if design.name == "factorial":
        result["main effects"] = main_effects(design, accuracies)
        result["interactions"] = interactions(design, accuracies)
    if design.name in ("factorial", "orderings"):
        result["Shapley values"] = shapley(design, accuracies)
    return result


def summary(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return the mean accuracy of each point.

    Args, errors: as for `tables`.

    Returns:
        point, title, accuracy_percent (mean over seeds), std_points, half_points, n, seeds.
    """
    values, seeds = seed_matrix(design, accuracies)
    mean, std, half = mean_intervals(values)
    columns = {"accuracy_percent": mean, "std_points": std, "half_points": half}
    labels = {"point": [point.name for point in design], "title": [point.title for point in design]}
    return pd.DataFrame({**labels, **columns, **seed_columns(values, seeds)})


def differences(design: Design, accuracies: Accuracies, pairs: Iterable[tuple[str, str]] | None = None) -> pd.DataFrame:
    """Return differences between pairs of points, over the seeds that both have.

    Args:
        design, accuracies: as for `tables`.
        pairs: (after, before) by name; by default, each point and its `previous`.

    Returns:
        after, before, difference_points (after minus before), half_points, n, seeds.

    Raises:
        AblationError: as for `tables`, and if a name is not a point of the design.
    """
    if pairs is None:
        pairs = [(point.name, point.previous) for point in design if point.previous is not None]
    pairs = list(pairs)
    change, seeds = _differences(design, accuracies, pairs)
    labels = {"after": [after for after, _ in pairs], "before": [before for _, before in pairs]}
    return _table(labels, "difference_points", change, seeds)


def leave_one_out(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return the effect of each step at the end: the end minus the end without the step.

    Args: as for `tables`; the design must contain these points, as leave-one-out and factorial do.

    Returns:
        step, effect_points, half_points, n, seeds.

    Raises:
        AblationError: as for `tables`, and if a point is not in the design.
    """
    names, every = names_by_steps(design), frozenset(design.steps)
    pairs = [(find_point(design, names, every), find_point(design, names, every - {step})) for step in design.steps]
    return _table({"step": design.steps}, "effect_points", *_differences(design, accuracies, pairs))


def one_at_a_time(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return the effect of each step at the start: the start with only that step minus the start.

    Args: as for `tables`; the design must contain these points, as one-at-a-time and factorial do.

    Returns, errors: as for `leave_one_out`.
    """
    names, none = names_by_steps(design), frozenset[str]()
    pairs = [(find_point(design, names, none | {step}), find_point(design, names, none)) for step in design.steps]
    return _table({"step": design.steps}, "effect_points", *_differences(design, accuracies, pairs))


def main_effects(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return the effect of each step, averaged over all subsets of the other steps.

    Args: as for `tables`; the design must be a full factorial.

    Returns:
        step, effect_points (mean of all networks with it minus mean of all without), half_points, n, seeds.
        Only seeds for which every network is done are used.

    Raises:
        AblationError: as for `tables`, and if the design is not a full factorial.
    """
    values, seeds = complete_seeds(design, accuracies)
    effects = step_signs(design) @ values * (2 / len(values))
    return _table({"step": design.steps}, "effect_points", effects, seeds)


def interactions(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return how much the effect of each step changes with each other step, averaged over all subsets of the rest.

    Args, errors: as for `main_effects`.

    Returns:
        step, other, interaction_points, half_points, n, seeds. An interaction is the effect of one step with the other
        minus its effect without the other. It is symmetric, and twice the value of textbooks that halve it. Positive:
        the steps reinforce each other; negative: they substitute for each other.
    """
    values, seeds = complete_seeds(design, accuracies)
    signs, pairs = step_signs(design), list(combinations(range(len(design.steps)), 2))
    products = np.stack([signs[i] * signs[j] for i, j in pairs]) if pairs else np.empty((0, len(values)))
    labels = {"step": [design.steps[i] for i, _ in pairs], "other": [design.steps[j] for _, j in pairs]}
    return _table(labels, "interaction_points", products @ values * (4 / len(values)), seeds)


def _differences(design: Design, accuracies: Accuracies, pairs: Sequence[tuple[str, str]]) -> tuple[Array, list[int]]:
    values, seeds = seed_matrix(design, accuracies)
    rows = {point.name: row for row, point in enumerate(design)}
    for name in (name for pair in pairs for name in pair):
        if name not in rows:
            raise AblationError(f"{name!r} is not a point of design {design.name!r}")
    after = values[[rows[name] for name, _ in pairs]]
    return after - values[[rows[name] for _, name in pairs]], seeds


def _table(labels: Mapping[str, Sequence[str]], name: str, values: Array, seeds: list[int]) -> pd.DataFrame:
    mean, _, half = mean_intervals(values)
    return pd.DataFrame({**labels, name: mean, "half_points": half, **seed_columns(values, seeds)})
