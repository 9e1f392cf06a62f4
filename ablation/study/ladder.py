"""The ladder as a study: every rung of a roadmap on one data set, and the table that comes of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..design.cost import cost
from ..design.roadmap import Rung, roadmap
from ..errors import AblationError
from . import data
from .analysis import mean_interval, paired_difference, published_sign, verdict
from .recipe import Family, family
from .trial import Outcome, Trial

if TYPE_CHECKING:
    import pandas as pd


def ladder_rungs(recipe: str, start: str = "resnet50") -> tuple[Rung, ...]:
    """The rungs of a roadmap, scaled as a recipe family asks."""
    scale = family(recipe)
    return roadmap(start, scale.width_divisor, scale.stem_stride)


def ladder_trials(recipe: str, data_name: str, seeds: Iterable[int], start: str = "resnet50") -> dict[Trial, Rung]:
    """One trial for each rung and seed, with its rung; seeds outermost, so that a whole ladder is there early.

    Raises:
        AblationError: if recipe or data set do not exist, or the images are too small for a rung.
    """
    about, pair = data.about(data_name), family(recipe)
    rungs = ladder_rungs(recipe, start)
    for rung in rungs:
        rung.architecture.sizes(about.size or pair.modern.size)
    return {_trial(rung, pair, data_name, seed): rung for seed in seeds for rung in rungs}


def check_seeds(count: int) -> range:
    """Seeds 0 to count - 1."""
    if count < 1:
        raise AblationError(f"seeds {count} must be 1 or more: it is how many seeds to train each rung from")
    return range(count)


def ladder_table(recipe: str, data_name: str, outcomes: dict[Trial, Outcome], start: str = "resnet50") -> pd.DataFrame:
    """The table of a ladder: cost, accuracy with its interval, the step's difference and verdict, beside the paper's.

    Args:
        recipe: name of the family that was trained with.
        data_name: what was trained on.
        outcomes: what came of `ladder_trials`; rungs without any have no accuracy.

    Returns:
        One row per rung. Accuracies in percent, differences in percentage points, intervals as half-widths at 95 %.
    """
    import pandas as pd

    about, pair = data.about(data_name), family(recipe)
    published = {rung.name: rung.published for rung in roadmap(start)}
    accuracies = {
        rung.name: {
            trial.seed: outcome.accuracy
            for trial, outcome in outcomes.items()
            if trial == _trial(rung, pair, data_name, trial.seed) and outcome.accuracy is not None
        }
        for rung in ladder_rungs(recipe, start)
    }
    rows: list[dict[str, Any]] = []
    for rung in ladder_rungs(recipe, start):
        size = about.size or pair.modern.size
        price = cost(rung.architecture, size, about.num_classes, about.in_chans)
        by_seed, paper = accuracies[rung.name], published[rung.name]
        row: dict[str, Any] = {
            "rung": rung.name,
            "title": rung.title,
            "adopted": rung.adopted,
            "recipe": pair.original.name if rung.recipe == "original" else pair.modern.name,
            "params": price.params,
            "macs": price.macs,
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
            row |= {"difference": change.mean, "difference_half": change.half, "verdict": verdict(change, sign)}
        rows.append(row)
    return pd.DataFrame(rows)


def _trial(rung: Rung, pair: Family, data_name: str, seed: int) -> Trial:
    recipe = pair.original if rung.recipe == "original" else pair.modern
    return Trial(rung.architecture, recipe, data_name, seed)
