"""Accuracies of a design by point and seed, from which all effects are computed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..design.recipes import Family, family
from ..design.trial import Outcome, Trial
from ..errors import AblationError
from ..study.designs import Design, Point

Accuracies = Mapping[str, Mapping[int, float]]  # name of the point -> seed -> top-1 in percent
Array = NDArray[np.float64]


def accuracies(
    points: Iterable[Point], recipe: str | Family, data_name: str, outcomes: Mapping[Trial, Outcome]
) -> dict[str, dict[int, float]]:
    """Return the accuracy of each point for each seed that is done.

    Args:
        points, recipe, data_name: as for `designs.trials`.
        outcomes: outcomes by trial; trials of other studies are ignored.

    Returns:
        Name of the point -> seed -> top-1 in percent. Trials that failed, diverged or have not been run are missing.
        Points that share a trial have the same accuracies.
    """
    modern = family(recipe).modern
    done: dict[object, dict[int, float]] = {}
    for trial, outcome in outcomes.items():
        if (trial.data, trial.recipe, trial.init, outcome.status) == (
            data_name,
            modern,
            "",
            "done",
        ) and outcome.accuracy is not None:
            done.setdefault(trial.architecture, {})[trial.seed] = outcome.accuracy
    return {point.name: dict(done.get(point.architecture, {})) for point in points}


def diverged_seeds(
    points: Iterable[Point], recipe: str | Family, data_name: str, outcomes: Mapping[Trial, Outcome]
) -> dict[str, list[int]]:
    """Return the seeds of each point that diverged, which have no accuracy; arguments as for `accuracies`.

    Returns:
        Name of the point -> seeds, for the points that have any.
    """
    modern, found = family(recipe).modern, dict[object, list[int]]()
    for trial, outcome in outcomes.items():
        if (trial.data, trial.recipe, trial.init, outcome.status) == (data_name, modern, "", "diverged"):
            found.setdefault(trial.architecture, []).append(trial.seed)
    return {point.name: sorted(found[point.architecture]) for point in points if point.architecture in found}


def seed_matrix(design: Design, accuracies: Accuracies) -> tuple[Array, list[int]]:
    """Return the accuracies as a matrix (points, seeds), NaN where a trial is missing, and the seeds."""
    names = {point.name for point in design}
    for name in accuracies:
        if name not in names:
            raise AblationError(f"accuracies are given for {name!r}, which is not a point of design {design.name!r}")
    seeds = sorted({seed for by_seed in accuracies.values() for seed in by_seed})
    column = {seed: i for i, seed in enumerate(seeds)}
    values = np.full((len(design), len(seeds)), np.nan)
    for row, point in enumerate(design):
        for seed, accuracy in accuracies.get(point.name, {}).items():
            values[row, column[seed]] = accuracy
    return values, seeds


def check_factorial(design: Design) -> None:
    """Raise an error unless a design is a full factorial: has one point for every subset of its steps."""
    subsets = {frozenset(point.steps) for point in design}
    if len(design) != 2 ** len(design.steps) or len(subsets) != len(design):
        raise AblationError(
            f"main effects, interactions and exact Shapley values need every subset of the {len(design.steps)} steps; design "
            f"{design.name!r} is not a full factorial. Possible: factorial (and orderings for Shapley values)"
        )


def merge_equal_points(design: Design, values: Array, weights: Array) -> tuple[Array, Array]:
    """Return one row for each network, and the weights of all its points added up.

    Points that are one network share their trials, whose variance must not count twice.

    Args:
        values: (points, seeds).
        weights: (sums, points).

    Returns:
        Values (networks, seeds) and weights (sums, networks).
    """
    first: dict[object, int] = {}
    network = np.array([first.setdefault(point.architecture, len(first)) for point in design], dtype=np.intp)
    rows = np.array([np.flatnonzero(network == i)[0] for i in range(len(first))], dtype=np.intp)
    return values[rows], weights @ (network[:, None] == np.arange(len(first)))


def step_signs(design: Design) -> Array:
    """Return a matrix (steps, points): 1 where the point takes the step, -1 where it does not."""
    return np.array([[1.0 if step in point.steps else -1.0 for point in design] for step in design.steps])


def names_by_steps(design: Design) -> dict[frozenset[str], str]:
    """Return the names of a design's points by their set of steps."""
    return {frozenset(point.steps): point.name for point in design}


def find_point(design: Design, names: Mapping[frozenset[str], str], taken: frozenset[str]) -> str:
    """Return the name of the point that takes exactly these steps."""
    if taken not in names:
        given = " + ".join(step for step in design.steps if step in taken) or "no steps"
        raise AblationError(f"design {design.name!r} has no point that takes {given}")
    return names[taken]


def seed_columns(values: Array, seeds: list[int]) -> dict[str, NDArray]:
    """Return the columns n and seeds: the number of seeds that each row is based on, and the seeds themselves."""
    present = ~np.isnan(values)
    numbers = np.array(list(map(str, seeds)), dtype=object)
    return {"n": present.sum(1), "seeds": np.array([" ".join(numbers[row]) for row in present], dtype=object)}
