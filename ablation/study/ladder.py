"""The trials of every rung of a ladder on one data set."""

from __future__ import annotations

from collections.abc import Iterable

from .. import data as datasets
from ..design.recipes import Family, family
from ..design.roadmap import Rung, roadmap
from ..design.trial import MAX_SEEDS, Trial
from ..errors import check_number


def ladder_rungs(recipe: str | Family, start: str = "resnet50") -> tuple[Rung, ...]:
    """Return the rungs of a roadmap, scaled for a recipe family."""
    scale = family(recipe)
    return roadmap(start, scale.width_divisor, scale.stem_stride)


def ladder_trials(
    recipe: str | Family, data_name: str, seeds: Iterable[int], start: str = "resnet50"
) -> dict[Trial, Rung]:
    """Return one trial per rung and seed, with its rung, ordered by seed: the first seed of all rungs finishes early.

    Raises:
        AblationError: if the recipe or data set does not exist, or the images are too small for a rung.
    """
    info, pair = datasets.info(data_name), family(recipe)
    rungs = ladder_rungs(recipe, start)
    for rung in rungs:
        rung.architecture.sizes(info.size or pair.modern.size)
    return {rung_trial(rung, pair, data_name, seed): rung for seed in seeds for rung in rungs}


def check_seeds(count: int) -> range:
    """Return the seeds 0 to count - 1; raise an `AblationError` if count is less than 1, or so large that it is a mistake."""
    check_number("seeds", count, 1, MAX_SEEDS, whole=True, reason=": it is the number of seeds per network")
    return range(count)


def rung_trial(rung: Rung, pair: Family, data_name: str, seed: int) -> Trial:
    """Return the trial of one rung with one seed."""
    recipe = pair.original if rung.recipe == "original" else pair.modern
    return Trial(rung.architecture, recipe, data_name, seed)
