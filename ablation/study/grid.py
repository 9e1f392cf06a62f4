"""When does a step pay? Its contrast in each cell of a grid of numbers of training images, resolutions and epochs.

A step is named by a row of the ladder and compared with the row before it, as on the ladder. Names joined by + are steps that
follow each other, taken together: `depthwise+widen` compares the row after widen with the row before depthwise. In a cell, only
the data and the recipe differ: every cell trains the same networks.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .. import data as datasets
from ..data.selection import split_name
from ..data.timm_names import PREFIX
from ..design.recipe import Recipe
from ..design.recipe_changes import with_epochs
from ..design.recipes import Family, family
from ..design.roadmap import Rung, roadmap
from ..design.trial import MAX_TRIALS, Trial
from ..errors import AblationError, check_number, unknown
from .ladder import rung_trial

MAX_CONTRASTS = 240  # corrected over so many, a difference needs a t of 4 or more, and the picture is 0.7 m high


@dataclass(frozen=True)
class GridStep:
    """A step of the grid.

    Args:
        name: as given, names of rows joined by +.
        title: title for tables and figures.
        before, after: names of the rows that are compared.
    """

    name: str
    title: str
    before: str
    after: str


@dataclass(frozen=True)
class Cell:
    """One cell of the grid.

    Args:
        data: name of the data set, with the selection of images.
        recipes: recipe family of this cell.
        images: number of training images; None for all of them.
        size: side of the images in pixels.
    """

    data: str
    recipes: Family
    images: int | None
    size: int

    @property
    def epochs(self) -> int:
        """Passes over the training images, by the recipe of all rows but the first."""
        return self.recipes.modern.epochs

    @property
    def axes(self) -> dict[str, int | str]:
        """The position in the grid, by the name of the axis."""
        return {"images": self.images or "all", "size": self.size, "epochs": self.epochs}


def grid_steps(names: Sequence[str] = (), start: str = "resnet50") -> tuple[GridStep, ...]:
    """Return the steps of these names.

    Args:
        names: names of rows of the ladder, such as "layer_norm"; + joins steps that are taken together. By default, the steps
            that the paper kept.
        start: "resnet50" or "resnet200".

    Raises:
        AblationError: if a name is not that of a step (the message suggests the nearest), is given twice, or joins steps that do
            not follow each other.

    >>> (step,) = grid_steps(["depthwise+widen"])
    >>> step.title, step.before, step.after
    ('depthwise conv and increase width', 'patchify_stem', 'widen')
    """
    rungs = {rung.name: rung for rung in roadmap(start)}
    steps = []
    for name in names or [rung.name for rung in rungs.values() if rung.adopted and rung.step.name != "chain()"]:
        parts = name.split("+")
        for part in parts:
            if part not in rungs or rungs[part].previous is None:
                raise unknown("step", part, [rung.name for rung in rungs.values() if rung.previous])
        _check_order(name, parts, rungs)
        title = " and ".join(rungs[part].title for part in parts)
        steps.append(GridStep(name, title, str(rungs[parts[0]].previous), parts[-1]))
    for step in steps:
        if steps.count(step) > 1:
            raise AblationError(f"step {step.name!r} is given twice; a grid takes each step once")
    return tuple(steps)


def grid_cells(
    chosen: str | Family,
    data_name: str,
    images: Sequence[int | None] = (),
    sizes: Sequence[int] = (),
    epochs: Sequence[int] = (),
) -> tuple[Cell, ...]:
    """Return the cells of a grid; an axis without values has the single value of the data set or the recipe.

    Args:
        chosen: recipe family, or its name.
        data_name: name of the data set.
        images: numbers of training images, each a fixed balanced choice; None for all images.
        sizes: sides of the images in pixels, for data sets without a fixed size.
        epochs: numbers of epochs, with which warm-up and decay are scaled in proportion.

    Raises:
        AblationError: if the data set has no such selections or a fixed size, or a value is not possible.

    >>> [cell.data for cell in grid_cells("micro", "digits", images=(100, 1000))]
    ['digits#100', 'digits#1000']
    """
    base, selection = split_name(data_name)
    if images and base.startswith(PREFIX):
        raise AblationError(
            f"--images: {data_name} is read by timm, which selects no part of it. Possible: other data sets"
        )
    info, pair = datasets.info(data_name), family(chosen)
    if images and selection.train is not None:
        raise AblationError(
            f"--images: {data_name} has a number of training images already: give it with --images or in --data"
        )
    if sizes and info.size is not None:
        raise AblationError(
            f"--sizes: the images of {data_name} have a fixed size of {info.size} px. Possible: folders of images and other data "
            "whose size the recipe sets"
        )
    cells = []
    numbers: Iterable[int | None] = images or (selection.train,)
    for number, size, passes in itertools.product(numbers, sizes or (None,), epochs or (None,)):
        name = data_name if not images or number is None else f"{base}#{number}"
        original, modern = (_changed(recipe, size, passes) for recipe in (pair.original, pair.modern))
        own = dataclasses.replace(pair, original=original, modern=modern)
        cells.append(Cell(name, own, number, info.size or own.modern.size))
    return tuple(cells)


def grid_rungs(steps: Iterable[GridStep], pair: Family, start: str = "resnet50") -> tuple[Rung, ...]:
    """Return the rows that the steps compare, scaled for a recipe family, in the order of the ladder."""
    needed = {name for step in steps for name in (step.before, step.after)}
    return tuple(rung for rung in roadmap(start, pair.width_divisor, pair.stem_stride) if rung.name in needed)


def grid_trials(
    steps: Sequence[GridStep], cells: Sequence[Cell], seeds: Iterable[int], start: str = "resnet50"
) -> dict[Trial, tuple[Rung, Cell]]:
    """Return one trial per row, cell and seed, ordered by seed: the first seed of the whole grid finishes early.

    Raises:
        AblationError: if there are too many contrasts or trials, or the images of a cell are too small for a row.
    """
    seeds = tuple(seeds)
    count = len(steps) * len(cells)
    if count > MAX_CONTRASTS:
        raise AblationError(
            f"{len(steps)} steps in {len(cells):,} cells are {count:,} contrasts; the most is {MAX_CONTRASTS}: give fewer steps, "
            "--images, --sizes or --epochs"
        )
    rows = [(rung, cell) for cell in cells for rung in grid_rungs(steps, cell.recipes, start)]
    reason = f": {len(rows):,} networks with {len(seeds):,} seeds each"
    check_number("trials", len(rows) * len(seeds), 1, MAX_TRIALS, whole=True, reason=reason)
    for rung, cell in rows:
        try:
            rung.architecture.sizes(cell.size)
        except AblationError as error:
            raise AblationError(f"{rung.title} at {cell.size} px: {error}") from None
    return {rung_trial(rung, cell.recipes, cell.data, seed): (rung, cell) for seed in seeds for rung, cell in rows}


def _changed(recipe: Recipe, size: int | None, epochs: int | None) -> Recipe:
    for option, value in (("--sizes", size), ("--epochs", epochs)):
        if value is None:
            continue
        try:
            recipe = recipe.replace(size=value) if option == "--sizes" else with_epochs(recipe, value)
        except AblationError as error:
            raise AblationError(f"{option}: {error}") from None
    return recipe


def _check_order(name: str, parts: Sequence[str], rungs: dict[str, Rung]) -> None:
    """Raise an `AblationError` unless each part follows the one before it; suggest the parts in order and without gaps."""
    if all(rungs[after].previous == before for before, after in itertools.pairwise(parts)):
        return
    in_order = sorted(dict.fromkeys(parts), key=list(rungs).index)
    path = [in_order[-1]]
    while path[0] != in_order[0] and (previous := rungs[path[0]].previous):
        path.insert(0, previous)
    # Kernel sizes branch off from one row, so they cannot be joined.
    possible = "+".join(path) if set(in_order) <= set(path) else f"one of {', '.join(in_order)}"
    raise AblationError(f"step {name!r} joins steps that do not follow each other on the ladder. Possible: {possible}")
