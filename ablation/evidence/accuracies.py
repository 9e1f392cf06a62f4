"""The accuracies of a design, as a matrix of points and seeds: what every effect is computed from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from ..design.recipes import family
from ..design.trial import Outcome, Trial
from ..errors import AblationError
from ..study.designs import Design, Point

Accuracies = Mapping[str, Mapping[int, float]]  # name of the point -> seed -> top-1 in percent
Array = NDArray[np.float64]


def accuracies(
    points: Iterable[Point], recipe: str, data_name: str, outcomes: Mapping[Trial, Outcome]
) -> dict[str, dict[int, float]]:
    """What the analysis starts from: for each point, the accuracy of each seed that is done.

    Args:
        points, recipe, data_name: as for `trials`.
        outcomes: what came of its trials; those of other studies are passed over.

    Returns:
        Name of the point -> seed -> top-1 in percent. A trial that failed, diverged or has not been run is not there;
        points that share a trial have the same accuracies.
    """
    modern = family(recipe).modern
    done: dict[object, dict[int, float]] = {}
    for trial, outcome in outcomes.items():
        if (trial.data, trial.recipe, outcome.status) == (data_name, modern, "done") and outcome.accuracy is not None:
            done.setdefault(trial.architecture, {})[trial.seed] = outcome.accuracy
    return {point.name: dict(done.get(point.architecture, {})) for point in points}


def seed_matrix(design: Design, accuracies: Accuracies) -> tuple[Array, list[int]]:
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


def complete_seeds(design: Design, accuracies: Accuracies) -> tuple[Array, list[int]]:
    """(points, seeds) of a full factorial, only the seeds for which every point is there."""
    subsets = {frozenset(point.steps) for point in design}
    if len(design) != 2 ** len(design.steps) or len(subsets) != len(design):
        raise AblationError(
            f"main effects, interactions and exact Shapley values need every subset of the {len(design.steps)} steps; design "
            f"{design.name!r} is no full factorial. Possible: factorial (and orderings for Shapley values)"
        )
    values, seeds = seed_matrix(design, accuracies)
    whole = np.flatnonzero(~np.isnan(values).any(0))
    return values[:, whole], [seeds[column] for column in whole]


def step_signs(design: Design) -> Array:
    """(steps, points), 1 where the point takes the step and -1 where it does not."""
    return np.array([[1.0 if step in point.steps else -1.0 for point in design] for step in design.steps])


def names_by_steps(design: Design) -> dict[frozenset[str], str]:
    return {frozenset(point.steps): point.name for point in design}


def find_point(design: Design, names: Mapping[frozenset[str], str], taken: frozenset[str]) -> str:
    if taken not in names:
        given = " + ".join(step for step in design.steps if step in taken) or "no step"
        raise AblationError(f"design {design.name!r} has no point that takes {given}")
    return names[taken]


def seed_columns(values: Array, seeds: list[int]) -> dict[str, NDArray]:
    """How many seeds each row stands on, and which."""
    there = ~np.isnan(values)
    numbers = np.array(list(map(str, seeds)), dtype=object)
    return {"n": there.sum(1), "seeds": np.array([" ".join(numbers[row]) for row in there], dtype=object)}
