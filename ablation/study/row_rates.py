"""Learning rates of each row of a ladder: the trials that compare them, and the file that a ladder takes them from."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .. import data as datasets
from ..design.recipe_changes import with_epochs
from ..design.recipes import Family, family
from ..design.roadmap import Rung, find
from ..design.trial import Trial
from ..errors import AblationError, shown
from .ladder import ladder_rungs, rung_trial
from .rates import check_held_out

# Times the rate of the recipe. Of three rows on CIFAR-10, one is best at the rate, one at twice it and one at a quarter, the
# lowest of four tried; rates a factor of two apart mostly differ by less than two points, so the grid need not be finer.
GRID = (0.25, 0.5, 1.0, 2.0, 4.0)

_SCALE = ("start", "width_divisor", "stem_stride")  # columns that a file must have in common with the ladder
_COLUMNS = ("rung", "recipe", "init_gain", "lr", "best", "at_edge", *_SCALE)


def row_rate_trials(
    recipe: str | Family,
    data_name: str,
    rates: Mapping[str, Sequence[float]],
    epochs: int | None = None,
    seeds: Iterable[int] = (0,),
    start: str = "resnet50",
) -> dict[Trial, tuple[Rung, ...]]:
    """Return one trial per rung of a ladder, learning rate and seed: each rung with its recipe, all with the same epochs.

    Args:
        recipe: recipe family, or its name.
        data_name: data set with held-out images, such as "digits#500+500": choosing a rate on the test images would bias
            the test accuracy upwards.
        rates: learning rates to try for "original", the first rung, and for "modern", all others.
        epochs: epochs of each trial, by default those of the recipe.
        seeds: seeds of each rate; the first seed of all rates comes first.
        start: ladder, "resnet50" or "resnet200".

    Returns:
        Trial -> its rungs: more than one where their architectures and recipes are the same.

    Raises:
        AblationError: if the recipe, ladder or a rate is invalid, the data set has no held-out images, or its images are too
            small for a rung.
    """
    check_held_out(data_name)
    info, pair = datasets.info(data_name), family(recipe)
    rungs = ladder_rungs(pair, start)
    for rung in rungs:
        rung.architecture.sizes(info.size or pair.modern.size)
    trials: dict[Trial, tuple[Rung, ...]] = {}
    for seed in seeds:
        for rung in rungs:
            for rate in dict.fromkeys(rates[rung.recipe]):
                trial = rung_trial(rung, pair, data_name, seed, {rung.name: rate})
                if epochs is not None:
                    trial = Trial(trial.architecture, with_epochs(trial.recipe, epochs), data_name, seed)
                trials[trial] = (*trials.get(trial, ()), rung)
    return trials


def read_rates(file: str | Path, recipe: str | Family, start: str = "resnet50") -> dict[str, float]:
    """Return the learning rate of each rung of a ladder from the file that `ablation rates --every-row` wrote.

    Args:
        file: the CSV file.
        recipe: recipe family of the ladder, or its name. The file must be of the same two recipes, initial weights, width and
            stem stride; epochs and batch size may differ, as a rate is one for the recipe's own batch.
        start: "resnet50" or "resnet200".

    Returns:
        Name of the rung -> learning rate, for `ladder_trials`.

    Raises:
        AblationError: if the file cannot be read, is another one, or belongs to another ladder, or a rung has no rate in it.
    """
    pair, path = family(recipe), Path(file)
    rungs = ladder_rungs(pair, start)
    scale = {
        name: str(value) for name, value in zip(_SCALE, (start, pair.width_divisor, pair.stem_stride), strict=True)
    }
    found: dict[str, float] = {}
    for number, row in enumerate(_read_rows(path), start=1):
        where = f"{path}, row {number}"
        for name in _SCALE:
            if row[name] != scale[name]:
                raise AblationError(f"{where}: its ladder has {name} {shown(row[name])}, this one has {scale[name]!r}")
        rung = find(row["rung"], rungs)
        _check_recipe(row, rung, pair, where)
        if row["best"].lower() == "true":  # in capitals after a visit to a spreadsheet
            rate = _number(row, "lr", where)
            if found.setdefault(rung.name, rate) != rate:
                raise AblationError(
                    f"{where}: lr {rate:g} is best for {rung.name}, and so is {found[rung.name]:g} above"
                )
    missing = [rung.name for rung in rungs if rung.name not in found]
    if missing:
        raise AblationError(
            f"{path} has no best rate for {', '.join(missing)}. `ablation rates --every-row` writes one for each row, unless "
            "all rates of a row diverged: try lower ones"
        )
    return found


def _read_rows(file: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file; a byte order mark, which spreadsheets write, is no part of the first column."""
    try:
        reader = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""), strict=True)
        names, rows = reader.fieldnames or (), list(reader)
    except (OSError, ValueError, csv.Error) as error:  # ValueError: no UTF-8, or a null byte in the path
        raise AblationError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from None
    for name in _COLUMNS:
        if name not in names:
            raise AblationError(
                f"{file} has no column {name!r}: expected a file that `ablation rates --every-row` wrote, such as "
                "figures/rates-digits-1k-300-rows.csv"
            )
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise AblationError(f"{file}, row {number}, does not have as many fields as there are columns")
    return rows


def _check_recipe(row: Mapping[str, str], rung: Rung, pair: Family, where: str) -> None:
    """Raise an `AblationError` if a row is of another recipe, or of other initial weights, than the ladder's."""
    recipe = pair.original if rung.recipe == "original" else pair.modern
    if row["recipe"] != recipe.name:
        raise AblationError(
            f"{where}: {rung.name} was trained with recipe {shown(row['recipe'])}; this ladder trains it with {recipe.name!r}"
        )
    gain = _number(row, "init_gain", where)
    if not math.isclose(gain, recipe.init_gain):
        raise AblationError(
            f"{where}: {rung.name} was trained with init_gain {gain:g}; recipe {recipe.name!r} has {recipe.init_gain:g}"
        )


def _number(row: Mapping[str, str], column: str, where: str) -> float:
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise AblationError(f"{where}: {column} {shown(row[column])} must be a number above 0")
    return value
