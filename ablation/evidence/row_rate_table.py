"""The results table of learning rates compared for each row of a ladder: held-out accuracy, and the rate of each row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..design.recipe import Recipe
from ..design.recipes import Family, family
from ..design.roadmap import Rung
from ..design.trial import Outcome, Trial
from ..errors import AblationError

_EDGES = {(True, True): "only", (True, False): "lowest", (False, True): "highest", (False, False): ""}


def row_rate_table(
    recipe: str | Family,
    trials: Mapping[Trial, tuple[Rung, ...]],
    outcomes: Mapping[Trial, Outcome],
    start: str = "resnet50",
) -> pd.DataFrame:
    """Return the results of `row_rate_trials`.

    The rate of a row is the one with the best mean accuracy over seeds, and of equal ones the lowest. A rate at which any seed
    diverged is not chosen.

    Args:
        recipe, start: as for `row_rate_trials`.
        trials: the trials with their rungs.
        outcomes: outcomes of the trials; those without an outcome are left out.

    Returns:
        One row per rung, rate and seed, in the order of the ladder, rates ascending. Of the trial: rung, title, member of the
        recipe family, recipe, init_gain, lr, recipe_lr (the family's), epochs, seed, held_out_accuracy (percent, NaN if it
        diverged), images (held out), params, seconds, train_losses (mean training loss of each epoch, as text). Of the rate: n
        (seeds), mean_accuracy, best (whether it is the row's rate), near_best (whether its mean lies within one standard error
        of the best, that of a share of so many images: such rates cannot be told apart). Of the row: at_edge ("lowest" or
        "highest" if its rate is at that end of the rates tried, so that one beyond may be better, "only" if no other was tried,
        or ""), spread_points (between the best and the worst mean). Of the ladder: start, width_divisor, stem_stride.

    Raises:
        AblationError: if no trial has an outcome.
    """
    pair = family(recipe)
    scale = {"start": start, "width_divisor": pair.width_divisor, "stem_stride": pair.stem_stride}
    rows = [
        {**_trial_columns(trial, rung, outcomes[trial], getattr(pair, rung.recipe)), **scale}
        for trial, rungs in trials.items()
        for rung in rungs
        if trial in outcomes
    ]
    if not rows:
        raise AblationError(f"none of the {len(trials)} trials has an outcome")
    table = pd.DataFrame(rows)
    order = {name: i for i, name in enumerate(dict.fromkeys(table["rung"]))}
    table["order"] = table["rung"].map(order)
    table = table.sort_values(["order", "lr", "seed"], ignore_index=True).drop(columns="order")
    by_rate, by_rung = table.groupby(["rung", "lr"])["held_out_accuracy"], table["rung"]
    table["n"] = by_rate.transform("count")
    mean = by_rate.transform(lambda accuracies: accuracies.mean(skipna=False))
    highest = mean.groupby(by_rung).transform("max")
    own = table["lr"].where(mean == highest).groupby(by_rung).transform("min")
    rates = table.groupby("rung")["lr"]
    ends = zip(own == rates.transform("min"), own == rates.transform("max"), strict=True)
    return table.assign(
        mean_accuracy=mean,
        best=table["lr"] == own,
        near_best=mean >= highest - np.sqrt(highest * (100 - highest) / table["images"]),
        at_edge=[_EDGES[end] for end in ends],
        spread_points=highest - mean.groupby(by_rung).transform("min"),
    )


def _trial_columns(trial: Trial, rung: Rung, outcome: Outcome, recipe: Recipe) -> dict[str, Any]:
    return {
        "rung": rung.name,
        "title": rung.title,
        "member": rung.recipe,
        "recipe": trial.recipe.name,
        "init_gain": trial.recipe.init_gain,
        "lr": trial.recipe.lr,
        "recipe_lr": recipe.lr,
        "epochs": trial.recipe.epochs,
        "seed": trial.seed,
        "held_out_accuracy": math.nan if outcome.accuracy is None else outcome.accuracy,
        "images": outcome.test_images,
        "params": outcome.params,
        "seconds": outcome.seconds,
        "train_losses": " ".join(f"{loss:.4f}" for loss in outcome.train_losses),
    }


def row_choices(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rate of each row in brief, from `row_rate_table`, for reading.

    Returns:
        One row per rung: row (its title); the mean held-out accuracy at each rate, as text, in a column of that name; "own rate"
        ("" if all diverged); "at edge"; "within 1 SE" (the rates that cannot be told apart from it); "spread" in points.
    """
    rows = []
    for _, of_rung in table.groupby("rung", sort=False):
        by_rate = of_rung.drop_duplicates("lr")
        best = by_rate[by_rate["best"]]
        near = by_rate.loc[by_rate["near_best"], "lr"]
        accuracies = zip(by_rate["lr"], by_rate["mean_accuracy"], strict=True)
        rows.append(
            {
                "row": by_rate["title"].iloc[0],
                **{f"{rate:g}": "diverged" if math.isnan(value) else f"{value:.1f}" for rate, value in accuracies},
                "own rate": f"{best['lr'].iloc[0]:g}" if len(best) else "",
                "at edge": by_rate["at_edge"].iloc[0],
                "within 1 SE": ", ".join(f"{rate:g}" for rate in near if len(near) > 1),
                "spread": "" if by_rate["spread_points"].isna().all() else f"{by_rate['spread_points'].iloc[0]:.1f}",
            }
        )
    return pd.DataFrame(rows)
