"""The results table of a ladder: cost and accuracy of each rung, and each step's effect compared with the paper."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import data as datasets
from ..design.cost import cost
from ..design.recipes import Family, family
from ..design.roadmap import roadmap
from ..design.trial import Outcome, Trial
from ..study.ladder import ladder_rungs, rung_trial
from .intervals import mean_interval, paired_difference
from .verdicts import published_sign, verdict

if TYPE_CHECKING:
    import pandas as pd


def ladder_accuracies(
    recipe: str | Family, data_name: str, outcomes: dict[Trial, Outcome], start: str = "resnet50"
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
            if trial == rung_trial(rung, pair, data_name, trial.seed) and outcome.accuracy is not None
        }
        for rung in ladder_rungs(recipe, start)
    }


def ladder_table(
    recipe: str | Family, data_name: str, outcomes: dict[Trial, Outcome], start: str = "resnet50"
) -> pd.DataFrame:
    """Return the table of a ladder: cost, accuracy, the step's difference and verdict, and the paper's values.

    Args:
        recipe: recipe family, or its name.
        data_name: name of the data set.
        outcomes: outcomes of `ladder_trials`; rungs without outcomes have no accuracy.

    Returns:
        One row per rung. Accuracies in percent, differences in percentage points, intervals as half-widths at 95 %. The
        column diverged is the number of seeds that diverged: they have no accuracy, and a difference in which they are
        missing has no verdict.
    """
    import pandas as pd

    info, pair = datasets.info(data_name), family(recipe)
    published = {rung.name: rung.published for rung in roadmap(start)}
    accuracies = ladder_accuracies(pair, data_name, outcomes, start)
    diverged = {
        rung.name: sum(
            outcome.status == "diverged" and trial == rung_trial(rung, pair, data_name, trial.seed)
            for trial, outcome in outcomes.items()
        )
        for rung in ladder_rungs(recipe, start)
    }
    rows: list[dict[str, Any]] = []
    for rung in ladder_rungs(recipe, start):
        size = info.size or pair.modern.size
        costs = cost(rung.architecture, size, info.num_classes, info.in_chans)
        by_seed, paper = accuracies[rung.name], published[rung.name]
        row: dict[str, Any] = {
            "rung": rung.name,
            "title": rung.title,
            "adopted": rung.adopted,
            "recipe": pair.original.name if rung.recipe == "original" else pair.modern.name,
            "params": costs.params,
            "macs": costs.macs,
            "seeds": " ".join(map(str, sorted(by_seed))),
            "n": len(by_seed),
            "accuracy": None,
            "accuracy_half": None,
            "accuracies": " ".join(f"{by_seed[seed]:.2f}" for seed in sorted(by_seed)),
            "difference": None,
            "difference_half": None,
            "verdict": "",
            "published_accuracy": paper.accuracy if paper else None,
            "published_std": paper.std if paper else None,
            "published_gmacs": paper.gflops if paper else None,
        }
        if by_seed:
            mean = mean_interval(list(by_seed.values()))
            row |= {"accuracy": mean.mean, "accuracy_half": mean.half}
        if rung.previous and (change := paired_difference(by_seed, accuracies[rung.previous])):
            before = published[rung.previous]
            sign = published_sign(paper, before) if paper and before else 0
            row |= {"difference": change.mean, "difference_half": change.half}
            if not diverged[rung.name] and not diverged[rung.previous]:
                row["verdict"] = verdict(change, sign)
        rows.append({**row, "diverged": diverged[rung.name]})
    return pd.DataFrame(rows)
