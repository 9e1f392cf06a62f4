"""Effects of steps: tables of means, differences, main effects, interactions and Shapley values.

All points of a design are trained with one recipe and share one standard deviation within a point, see `contrasts`. Nothing is
paired by seed. A trial that is missing leaves its point with one seed fewer; n is the smallest number of seeds of any point that
an effect rests on. Accuracies are top-1 in percent, effects and intervals in percentage points; an interval is the half-width at
95 %, p_holm is corrected for all rows of the table, and smallest_effect is the effect that is found with 80 % power after that
correction. Undefined values, such as an interval where no point has a second seed, are NaN.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ..errors import AblationError
from ..study.designs import Design
from .accuracies import (
    Accuracies,
    check_factorial,
    find_point,
    merge_equal_points,
    names_by_steps,
    seed_columns,
    seed_matrix,
    step_signs,
)
from .contrasts import contrasts
from .intervals import mean_intervals
from .shapley import shapley
from .weighted_sums import effect_columns, weighted_sums


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
    """Return the contrasts of pairs of points.

    Args:
        design, accuracies: as for `tables`.
        pairs: (after, before) by name; by default, each point and its `previous`.

    Returns:
        after, before, difference_points (after minus before), half_points, p, p_holm, smallest_effect, df, test (pooled or
        Welch), n.

    Raises:
        AblationError: as for `tables`, and if a name is not a point of the design.
    """
    if pairs is None:
        pairs = [(point.name, point.previous) for point in design if point.previous is not None]
    pairs = list(pairs)
    labels = {"after": [after for after, _ in pairs], "before": [before for _, before in pairs]}
    return _contrast_table(design, accuracies, labels, "difference_points", pairs)


def leave_one_out(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return the effect of each step at the end: the end minus the end without the step.

    Args: as for `tables`; the design must contain these points, as leave-one-out and factorial do.

    Returns:
        step, effect_points, half_points, p, p_holm, smallest_effect, df, test (pooled or Welch), n.

    Raises:
        AblationError: as for `tables`, and if a point is not in the design.
    """
    names, every = names_by_steps(design), frozenset(design.steps)
    pairs = [(find_point(design, names, every), find_point(design, names, every - {step})) for step in design.steps]
    return _contrast_table(design, accuracies, {"step": design.steps}, "effect_points", pairs)


def one_at_a_time(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return the effect of each step at the start: the start with only that step minus the start.

    Args: as for `tables`; the design must contain these points, as one-at-a-time and factorial do.

    Returns, errors: as for `leave_one_out`.
    """
    names, none = names_by_steps(design), frozenset[str]()
    pairs = [(find_point(design, names, none | {step}), find_point(design, names, none)) for step in design.steps]
    return _contrast_table(design, accuracies, {"step": design.steps}, "effect_points", pairs)


def main_effects(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return the effect of each step, averaged over all subsets of the other steps.

    Args: as for `tables`; the design must be a full factorial.

    Returns:
        step, effect_points (mean of all networks with it minus mean of all without), half_points, p, p_holm,
        smallest_effect, df, n.

    Raises:
        AblationError: as for `tables`, and if the design is not a full factorial.
    """
    check_factorial(design)
    values, _ = seed_matrix(design, accuracies)
    found = weighted_sums(*merge_equal_points(design, values, step_signs(design) * (2 / len(values))))
    return pd.DataFrame({"step": design.steps, **effect_columns("effect_points", found)})


def interactions(design: Design, accuracies: Accuracies) -> pd.DataFrame:
    """Return how much the effect of each step changes with each other step, averaged over all subsets of the rest.

    Args, errors: as for `main_effects`.

    Returns:
        step, other, interaction_points, half_points, p, p_holm, smallest_effect, df, n. An interaction is the effect of one
        step with the other minus its effect without the other. It is symmetric, and twice the value of textbooks that halve
        it. Positive: the steps reinforce each other; negative: they substitute for each other.
    """
    check_factorial(design)
    values, _ = seed_matrix(design, accuracies)
    signs, pairs = step_signs(design), list(combinations(range(len(design.steps)), 2))
    products = np.stack([signs[i] * signs[j] for i, j in pairs]) if pairs else np.empty((0, len(values)))
    labels = {"step": [design.steps[i] for i, _ in pairs], "other": [design.steps[j] for _, j in pairs]}
    found = weighted_sums(*merge_equal_points(design, values, products * (4 / len(values))))
    return pd.DataFrame({**labels, **effect_columns("interaction_points", found)})


def _contrast_table(
    design: Design,
    accuracies: Accuracies,
    labels: Mapping[str, Sequence[str]],
    name: str,
    pairs: Sequence[tuple[str, str]],
) -> pd.DataFrame:
    points = {point.name for point in design}
    for name_given in (point for pair in pairs for point in pair):
        if name_given not in points:
            raise AblationError(f"{name_given!r} is not a point of design {design.name!r}")
    first_of: dict[object, str] = {}
    for point in design:
        first_of.setdefault(point.architecture, point.name)
    seed_matrix(design, accuracies)  # raises an error if accuracies are given for another design
    network = {point.name: first_of[point.architecture] for point in design}
    measured = {name: accuracies.get(name, {}) for name in first_of.values()}
    merged = [(network[after], network[before]) for after, before in pairs]
    differing = [pair for pair in merged if pair[0] != pair[1]]
    found = contrasts(measured, dict.fromkeys(measured, ""), differing)
    steps = dict(zip(differing, found, strict=True))
    rows = []
    for after, before in merged:
        if after == before:  # one network: no difference, and nothing is tested
            row: dict[str, Any] = {name: 0.0, "half_points": 0.0, "n": len(measured[after])}
        else:
            step = steps[after, before]
            row = {
                name: step.difference,
                "half_points": step.half,
                "p": step.p,
                "p_holm": step.p_holm,
                "smallest_effect": step.smallest_effect,
                "df": step.df,
                "test": "Welch" if step.welch else "pooled",
                "n": step.n,
            }
        rows.append(row)
    columns = (name, "half_points", "p", "p_holm", "smallest_effect", "df", "test", "n")
    return pd.DataFrame({**labels, **pd.DataFrame(rows, columns=list(columns)).fillna({"test": ""})})
