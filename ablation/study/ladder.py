"""The ladder as a study: the trials of every rung of a roadmap on one data set."""

from __future__ import annotations

from collections.abc import Iterable

from .. import data as datasets
from ..design.recipes import Family, family
from ..design.roadmap import Rung, roadmap
from ..design.trial import Trial
from ..errors import AblationError


def ladder_rungs(recipe: str, start: str = "resnet50") -> tuple[Rung, ...]:
    """The rungs of a roadmap, scaled as a recipe family asks."""
    scale = family(recipe)
    return roadmap(start, scale.width_divisor, scale.stem_stride)


def ladder_trials(recipe: str, data_name: str, seeds: Iterable[int], start: str = "resnet50") -> dict[Trial, Rung]:
    """One trial for each rung and seed, with its rung; seeds outermost, so that a whole ladder is there early.

    Raises:
        AblationError: if recipe or data set do not exist, or the images are too small for a rung.
    """
    about, pair = datasets.info(data_name), family(recipe)
    rungs = ladder_rungs(recipe, start)
    for rung in rungs:
        rung.architecture.sizes(about.size or pair.modern.size)
    return {rung_trial(rung, pair, data_name, seed): rung for seed in seeds for rung in rungs}


def check_seeds(count: int) -> range:
    """Seeds 0 to count - 1."""
    if count < 1:
        raise AblationError(f"seeds {count} must be 1 or more: it is how many seeds to train each rung from")
    return range(count)


def rung_trial(rung: Rung, pair: Family, data_name: str, seed: int) -> Trial:
    """Return the trial of one rung and seed."""
    recipe = pair.original if rung.recipe == "original" else pair.modern
    return Trial(rung.architecture, recipe, data_name, seed)
