"""The results table of a learning rate comparison: held-out accuracy of each rate."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from ..design.trial import Outcome, Trial


def rate_table(trials: Mapping[Trial, tuple[str, str]], outcomes: Mapping[Trial, Outcome]) -> pd.DataFrame:
    """Return the results of `rate_trials`.

    Returns:
        One row per trial: recipe, member, rung, lr, epochs, seed, held_out_accuracy (percent, NaN if it diverged),
        mean_accuracy (over the networks of that recipe and rate), best (whether no rate of that recipe has a higher
        mean), params, seconds, and train_losses (mean training loss of each epoch, as text).
    """
    rows = []
    for trial, (member, name) in trials.items():
        if (outcome := outcomes.get(trial)) is None:
            continue
        accuracy = math.nan if outcome.accuracy is None else outcome.accuracy
        rows.append(
            {
                "recipe": trial.recipe.name,
                "member": member,
                "rung": name,
                "lr": trial.recipe.lr,
                "epochs": trial.recipe.epochs,
                "seed": trial.seed,
                "held_out_accuracy": accuracy,
                "params": outcome.params,
                "seconds": outcome.seconds,
                "train_losses": " ".join(f"{loss:.4f}" for loss in outcome.train_losses),
            }
        )
    table = pd.DataFrame(rows).sort_values(["member", "rung", "lr"], kind="stable", ignore_index=True)
    by_rate = table.groupby(["member", "lr"])["held_out_accuracy"]
    table["mean_accuracy"] = by_rate.transform(lambda accuracies: accuracies.mean(skipna=False))
    table["best"] = table["mean_accuracy"] == table.groupby("member")["mean_accuracy"].transform("max")
    return table
