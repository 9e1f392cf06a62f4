"""Trials that compare learning rates on held-out training images, by which the rates of a recipe family are chosen.

A rate that suits one end of the road may be poor for the other, so the rate of the modern recipe is the one with the
best mean over three networks: the start of the road, its middle and its end. The original recipe trains only the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..data.selection import split_name
from ..design.recipe import Recipe
from ..design.recipe_changes import with_epochs
from ..design.recipes import family
from ..design.roadmap import find
from ..design.trial import Trial
from ..errors import AblationError
from .ladder import ladder_rungs

NETWORKS = {
    "original": ("enhanced_recipe",),
    "modern": ("enhanced_recipe", "move_up_depthwise", "strided_downsampling"),
}


def rate_trials(
    recipe: str,
    data_name: str,
    rates: Mapping[str, Sequence[float]],
    epochs: int | None = None,
    seed: int = 0,
    start: str = "resnet50",
) -> dict[Trial, tuple[str, str]]:
    """Return one trial per network and learning rate.

    Args:
        recipe: name of a recipe family.
        data_name: data set with held-out images, such as "digits#500+500": choosing a rate on the test images would bias
            the test accuracy upwards.
        rates: learning rates to try for "original" and for "modern".
        epochs: epochs of each trial, by default those of the recipe.
        seed: seed of each trial.
        start: ladder, "resnet50" or "resnet200".

    Returns:
        Trial -> (member of the recipe family, name of the rung).

    Raises:
        AblationError: if the recipe, ladder or a rate is invalid, or the data set has no held-out images.
    """
    pair, rungs = family(recipe), ladder_rungs(recipe, start)
    check_held_out(data_name)
    trials: dict[Trial, tuple[str, str]] = {}
    for member, names in NETWORKS.items():
        own: Recipe = getattr(pair, member)
        own = own if epochs is None else with_epochs(own, epochs)
        for rate in rates[member]:
            for name in names:
                trial = Trial(find(name, rungs).architecture, own.replace(lr=rate), data_name, seed)
                trials[trial] = (member, name)
    return trials


def check_held_out(data_name: str) -> None:
    """Raise an `AblationError` unless the name of a data set has a number of held-out images."""
    base, selection = split_name(data_name)
    if selection.held_out is None:
        raise AblationError(f"{data_name} has no held-out images: give their number after +, as in {base}#1000+500")
