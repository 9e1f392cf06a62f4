"""Learning rates compared on held-out training images, as those of a recipe family are chosen.

A rate that suits one end of the road may hold back the other, so the modern recipe's is the one with the best mean over
three networks: the start of the road, its middle and its end. The original recipe trains the start alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from ..design.roadmap import find
from ..errors import AblationError
from .ladder import ladder_rungs
from .recipe import Recipe, family
from .selection import split_name
from .trial import Outcome, Trial

NETWORKS = {
    "original": ("enhanced_recipe",),
    "modern": ("enhanced_recipe", "move_up_depthwise", "strided_downsampling"),
}


def shortened(recipe: Recipe, epochs: int) -> Recipe:
    """The same recipe over fewer epochs: warm-up and cuts come at the same share of them, rounded up.

    >>> from ablation.study.recipe import ORIGINAL
    >>> shortened(ORIGINAL, 10).decay_epochs
    4
    """
    share = epochs / recipe.epochs
    return recipe.replace(
        epochs=epochs,
        decay_epochs=math.ceil(recipe.decay_epochs * share),
        warmup_epochs=math.ceil(recipe.warmup_epochs * share),
    )


def rate_trials(
    recipe: str,
    data_name: str,
    rates: Mapping[str, Sequence[float]],
    epochs: int | None = None,
    seed: int = 0,
    start: str = "resnet50",
) -> dict[Trial, tuple[str, str]]:
    """A trial for each network and rate.

    Args:
        recipe: name of a family.
        data_name: with held-out images, such as "digits#500+500": a rate chosen on the test images would flatter it.
        rates: learning rates to try for "original" and for "modern".
        epochs: of each trial, by default as many as the recipe has.
        seed: of each trial.
        start: ladder, "resnet50" or "resnet200".

    Returns:
        Trials with the member of the family and the rung that each stands for.

    Raises:
        AblationError: if recipe, ladder or a rate do not exist, or the data holds nothing out.
    """
    pair, rungs = family(recipe), ladder_rungs(recipe, start)
    base, selection = split_name(data_name)
    if selection.held_out is None:
        raise AblationError(f"{data_name} holds nothing out: name the images to choose on, as in {base}#1000+500")
    trials: dict[Trial, tuple[str, str]] = {}
    for member, names in NETWORKS.items():
        own: Recipe = getattr(pair, member)
        own = shortened(own, epochs) if epochs else own
        for rate in rates[member]:
            for name in names:
                trial = Trial(find(name, rungs).architecture, own.replace(lr=rate), data_name, seed)
                trials[trial] = (member, name)
    return trials


def rate_table(trials: Mapping[Trial, tuple[str, str]], outcomes: Mapping[Trial, Outcome]) -> pd.DataFrame:
    """What came of `rate_trials`.

    Returns:
        A row a trial: recipe, rung, lr, epochs, seed, held_out_accuracy (percent, NaN if it diverged), mean_accuracy (over the
        networks of that recipe and rate), best (whether no rate of that recipe has a better mean), params, seconds, and
        train_losses, the mean of each epoch, as text.
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
