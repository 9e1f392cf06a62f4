"""The trials of every rung of a ladder on one data set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .. import data as datasets
from ..design.recipes import Family, family
from ..design.roadmap import Rung, roadmap
from ..design.trial import MAX_SEEDS, Trial
from ..errors import AblationError, check_number, unknown


def ladder_rungs(recipe: str | Family, start: str = "resnet50") -> tuple[Rung, ...]:
    """Return the rungs of a roadmap, scaled for a recipe family."""
    scale = family(recipe)
    return roadmap(start, scale.width_divisor, scale.stem_stride)


def ladder_trials(
    recipe: str | Family,
    data_name: str,
    seeds: Iterable[int],
    start: str = "resnet50",
    rates: Mapping[str, float] | None = None,
) -> dict[Trial, Rung]:
    """Return one trial per rung and seed, with its rung, ordered by seed: the first seed of all rungs finishes early.

    Args:
        recipe: recipe family, or its name.
        data_name: name of the data set.
        seeds: seeds of each rung.
        start: ladder, "resnet50" or "resnet200".
        rates: learning rate of each rung by name, as `row_rates.read_rates` returns them, in place of the recipe's; like it,
            they are for a batch of the recipe's `lr_batch` images.

    Raises:
        AblationError: if the recipe, data set or a rung of the rates does not exist, a rung has no rate, or the images are too
            small for a rung.

    >>> sorted({trial.recipe.lr for trial in ladder_trials("micro", "digits", [0])})
    [0.004, 0.01]
    """
    info, pair = datasets.info(data_name), family(recipe)
    rungs = ladder_rungs(recipe, start)
    for rung in rungs:
        rung.architecture.sizes(info.size or pair.modern.size)
    names = [rung.name for rung in rungs]
    for name in rates or ():
        if name not in names:
            raise unknown("rung", name, names)
    if rates is not None and (missing := [name for name in names if name not in rates]):
        raise AblationError(f"rates are given for {len(rates)} rungs, and none for {', '.join(missing)}")
    return {rung_trial(rung, pair, data_name, seed, rates): rung for seed in seeds for rung in rungs}


def check_seeds(count: int) -> range:
    """Return the seeds 0 to count - 1; raise an `AblationError` if count is less than 1, or so large that it is a mistake."""
    check_number("seeds", count, 1, MAX_SEEDS, whole=True, reason=": it is the number of seeds per network")
    return range(count)


def rung_trial(rung: Rung, pair: Family, data_name: str, seed: int, rates: Mapping[str, float] | None = None) -> Trial:
    """Return the trial of one rung with one seed; `rates` as for `ladder_trials`."""
    recipe = pair.original if rung.recipe == "original" else pair.modern
    if rates is not None:
        recipe = recipe.replace(lr=rates[rung.name])
    return Trial(rung.architecture, recipe, data_name, seed)
