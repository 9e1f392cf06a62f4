"""Learning rates compared on held-out training images, as those of a recipe family are chosen.

A rate that suits one end of the road may hold back the other, so the modern recipe's is the one with the best mean over
three networks: the start of the road, its middle and its end. The original recipe trains the start alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..data.selection import split_name
from ..design.recipe import Recipe
from ..design.recipes import family
from ..design.roadmap import find
from ..design.trial import Trial
from ..errors import AblationError
from .ladder import ladder_rungs

NETWORKS = {
    "original": ("enhanced_recipe",),
    "modern": ("enhanced_recipe", "move_up_depthwise", "strided_downsampling"),
}


def shortened(recipe: Recipe, epochs: int) -> Recipe:
    """The same recipe over fewer epochs: warm-up and cuts come at the same share of them, rounded up.

    >>> from ablation.design.recipes import ORIGINAL
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
