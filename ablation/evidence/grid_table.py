"""The results table of a grid: the contrast of each step in each cell, with its verdict.

Rows of one cell share their pooled standard deviation, those of two cells do not: the spread depends on images and epochs. The
p-values are corrected over all steps and cells.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..design.roadmap import roadmap
from ..design.trial import Outcome, Trial
from ..study.grid import Cell, GridStep, grid_rungs
from ..study.ladder import rung_trial
from .contrasts import contrasts
from .verdicts import published_sign, verdict_of

if TYPE_CHECKING:
    import pandas as pd


def grid_table(
    steps: Sequence[GridStep], cells: Sequence[Cell], outcomes: Mapping[Trial, Outcome], start: str = "resnet50"
) -> pd.DataFrame:
    """Return the contrast of each step in each cell.

    Args:
        steps, cells, start: as for `study.grid.grid_trials`.
        outcomes: outcomes by trial; trials of other studies are ignored.

    Returns:
        One row per step and cell: step, title, before, after (names of the rows compared), images ("all" without a selection),
        size (px), epochs, recipe, init_gain, n, diverged, accuracy_before, accuracy_after (means, percent), accuracies_before,
        accuracies_after (of the seeds, as text), difference, difference_half (95 %), equivalence_half (90 %), p, p_holm, df,
        welch, smallest_effect (points), published_difference, published_sign and verdict.
    """
    import pandas as pd

    accuracies: dict[str, dict[int, float]] = {}
    groups: dict[str, Hashable] = {}
    diverged: dict[str, int] = {}
    init_gains: dict[str, float] = {}
    found: dict[Trial, list[tuple[int, Outcome]]] = {}
    for trial, outcome in outcomes.items():
        found.setdefault(_without_seed(trial), []).append((trial.seed, outcome))
    for number, cell in enumerate(cells):
        for rung in grid_rungs(steps, cell.recipes, start):
            row, trial = f"{number} {rung.name}", rung_trial(rung, cell.recipes, cell.data, 0)
            ended = sorted(found.get(trial, ()), key=lambda pair: pair[0])
            accuracies[row] = {seed: one.accuracy for seed, one in ended if one.accuracy is not None}
            diverged[row] = sum(one.status == "diverged" for _, one in ended)
            groups[row] = (number, rung.recipe)  # within which standard deviations are pooled
            init_gains[row] = trial.recipe.init_gain
    places = [(step, number) for step in steps for number in range(len(cells))]
    pairs = [(f"{number} {step.after}", f"{number} {step.before}") for step, number in places]
    published = {rung.name: rung.published for rung in roadmap(start)}
    rows: list[dict[str, Any]] = []
    for (step, number), (after, before), contrast in zip(
        places, pairs, contrasts(accuracies, groups, pairs, diverged), strict=True
    ):
        now, then = published[step.after], published[step.before]
        sign = published_sign(now, then) if now and then else 0
        rows.append(
            {
                "step": step.name,
                "title": step.title,
                "before": step.before,
                "after": step.after,
                **cells[number].axes,
                "recipe": cells[number].recipes.modern.name,
                "init_gain": init_gains[after],
                "n": contrast.n,
                "diverged": contrast.diverged,
                "accuracy_before": _mean(accuracies[before]),
                "accuracy_after": _mean(accuracies[after]),
                "accuracies_before": _text(accuracies[before]),
                "accuracies_after": _text(accuracies[after]),
                "difference": contrast.difference,
                "difference_half": contrast.half,
                "equivalence_half": contrast.equivalence_half,
                "p": contrast.p,
                "p_holm": contrast.p_holm,
                "df": contrast.df,
                "welch": contrast.welch,
                "smallest_effect": contrast.smallest_effect,
                "published_difference": round(now.accuracy - then.accuracy, 2) if now and then else math.nan,
                "published_sign": sign,
                "verdict": verdict_of(contrast, sign),
            }
        )
    return pd.DataFrame(rows)


def _without_seed(trial: Trial) -> Trial:
    return Trial(trial.architecture, trial.recipe, trial.data, init=trial.init)


def _mean(by_seed: Mapping[int, float]) -> float:
    return sum(by_seed.values()) / len(by_seed) if by_seed else math.nan


def _text(by_seed: Mapping[int, float]) -> str:
    return " ".join(f"{accuracy:.2f}" for accuracy in by_seed.values())
