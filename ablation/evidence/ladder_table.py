"""The results table of a ladder: cost and accuracy of each rung, and each step's effect compared with the paper."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .. import data as datasets
from ..design.cost import cost
from ..design.recipes import Family, family
from ..design.roadmap import roadmap
from ..design.trial import Outcome, Trial
from ..study.ladder import ladder_rungs, rung_trial
from .contrasts import Contrast, contrasts
from .intervals import mean_interval
from .verdicts import published_sign, verdict_of

if TYPE_CHECKING:
    import pandas as pd

ONE_RATE, OWN_RATES = "one rate", "own rates"


def ladder_accuracies(
    recipe: str | Family,
    data_name: str,
    outcomes: dict[Trial, Outcome],
    start: str = "resnet50",
    rates: Mapping[str, float] | None = None,
) -> dict[str, dict[int, float]]:
    """Return the accuracy of each rung for each seed that is done; arguments as for `ladder_table`.

    Returns:
        Name of the rung -> seed -> top-1 in percent.
    """
    pair = family(recipe)
    return {
        rung.name: {
            trial.seed: outcome.accuracy
            for trial, outcome in outcomes.items()
            if trial == rung_trial(rung, pair, data_name, trial.seed, rates) and outcome.accuracy is not None
        }
        for rung in ladder_rungs(recipe, start)
    }


def ladder_table(
    recipe: str | Family,
    data_name: str,
    outcomes: dict[Trial, Outcome],
    start: str = "resnet50",
    rates: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Return the table of a ladder: cost, accuracy, the step's difference and verdict, and the paper's values.

    Args:
        recipe: recipe family, or its name.
        data_name: name of the data set.
        outcomes: outcomes of `ladder_trials`; rungs without outcomes have no accuracy.
        start: "resnet50" or "resnet200".
        rates: as for `ladder_trials`. Rows of one recipe share a standard deviation also at different rates.

    Returns:
        One row per rung: lr is its learning rate, and rates says whether that is the "one rate" of its recipe or the rows have
        their "own rates"; init_gain is the factor of the initial weights. Accuracies in percent, differences in percentage
        points, intervals as half-widths at 95 %. Of each step its `Contrast`: difference, difference_half, equivalence_half
        (at 90 %), p, p_holm (corrected over all steps), smallest_effect (found with 80 % power), test (pooled or Welch), and
        the verdict. The column diverged is the number of seeds that diverged: they have no accuracy, and a difference in which
        they are missing has no verdict.
    """
    import pandas as pd

    info, pair = datasets.info(data_name), family(recipe)
    published = {rung.name: rung.published for rung in roadmap(start)}
    accuracies = ladder_accuracies(pair, data_name, outcomes, start, rates)
    diverged = {
        rung.name: sum(
            outcome.status == "diverged" and trial == rung_trial(rung, pair, data_name, trial.seed, rates)
            for trial, outcome in outcomes.items()
        )
        for rung in ladder_rungs(recipe, start)
    }
    rungs = ladder_rungs(recipe, start)
    pairs = [(rung.name, rung.previous) for rung in rungs if rung.previous]
    # Without own rates, so that rows of one recipe are one pool: else most rows would be alone with two degrees of freedom.
    recipes = {rung.name: pair.original if rung.recipe == "original" else pair.modern for rung in rungs}
    found = contrasts(accuracies, recipes, pairs, diverged)
    steps = dict(zip((after for after, _ in pairs), found, strict=True))
    rows: list[dict[str, Any]] = []
    for rung in rungs:
        size = info.size or pair.modern.size
        costs = cost(rung.architecture, size, info.num_classes, info.in_chans)
        by_seed, paper = accuracies[rung.name], published[rung.name]
        before = published[rung.previous] if rung.previous else None
        mean = mean_interval(list(by_seed.values())) if by_seed else None
        row = {
            "rung": rung.name,
            "title": rung.title,
            "adopted": rung.adopted,
            "recipe": recipes[rung.name].name,
            "lr": recipes[rung.name].lr if rates is None else rates[rung.name],
            "rates": ONE_RATE if rates is None else OWN_RATES,
            "init_gain": recipes[rung.name].init_gain,
            "params": costs.params,
            "macs": costs.macs,
            "seeds": " ".join(map(str, sorted(by_seed))),
            "n": len(by_seed),
            "accuracy": mean.mean if mean else None,
            "accuracy_half": mean.half if mean else None,
            "accuracies": " ".join(f"{by_seed[seed]:.2f}" for seed in sorted(by_seed)),
            **_step_columns(steps.get(rung.name), published_sign(paper, before) if paper and before else 0),
            "published_accuracy": paper.accuracy if paper else None,
            "published_std": paper.std if paper else None,
            "published_gmacs": paper.gflops if paper else None,
            "diverged": diverged[rung.name],
        }
        rows.append(row)
    return pd.DataFrame(rows)


def _step_columns(contrast: Contrast | None, sign: int) -> dict[str, Any]:
    """Return the columns of a step; without values for the first row, which follows none."""
    if contrast is None:
        names = ("difference", "difference_half", "equivalence_half", "p", "p_holm", "smallest_effect")
        return {**dict.fromkeys(names), "test": "", "verdict": ""}
    return {
        "difference": contrast.difference,
        "difference_half": contrast.half,
        "equivalence_half": contrast.equivalence_half,
        "p": contrast.p,
        "p_holm": contrast.p_holm,
        "smallest_effect": contrast.smallest_effect,
        "test": "Welch" if contrast.welch else "pooled",
        "verdict": verdict_of(contrast, sign),
    }
