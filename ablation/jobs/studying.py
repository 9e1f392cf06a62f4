"""Studies of many networks: run a design, compare learning rates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table

from ..errors import AblationError
from ..files import writable_folder, write_atomically
from ..study import data as datasets
from ..study import designs, effects
from ..study.ladder import check_seeds
from ..study.recipe import family
from ..study.study import Study
from .saying import data_label, environment_of, new_console, write_figure
from .training import run_study


def run_design(
    design: str,
    steps: list[str],
    data: str,
    recipe: str,
    seeds: int,
    start: str,
    count: int,
    out: Path,
    store: Path,
    workers: int | None,
    where: dict[str, Any],
) -> None:
    """Train every network of a design, print what follows from it, and write each table as CSV."""
    about, pair = datasets.about(data), family(recipe)
    if workers is not None and workers < 1:
        raise AblationError(f"workers {workers} must be 1 or more")
    asked = designs.design(design, steps or None, start, pair.width_divisor, pair.stem_stride, count)
    trials = designs.trials(asked, recipe, data, check_seeds(seeds))
    writable_folder(out)
    study = Study({trial: point.title for trial, point in trials.items()}, store, **where)
    console = new_console()
    outcomes = run_study(study, console, workers, lambda trial: trials[trial].title)
    measured = designs.accuracies(asked, recipe, data, outcomes)
    for title, table in effects.tables(asked, measured).items():
        console.print(_text(f"{title}: {design} on {data}, recipe {recipe}, {seeds} seeds", table))
        file = out / f"study-{design}-{data_label(data, start)}-{title.lower().replace(' ', '-')}.csv"
        write_atomically(file, table.to_csv(index=False).encode())
        console.print(f"wrote {file}", highlight=False, soft_wrap=True)
    if about.note:
        console.print(about.note, style="bold", soft_wrap=True, highlight=False)


def compare_rates(
    data: str,
    recipe: str,
    original: str,
    modern: str,
    epochs: int | None,
    called: str,
    out: Path,
    store: Path,
    workers: int | None,
) -> None:
    """Train at several learning rates, print what each scores on held-out images, write figure and numbers."""
    from ..show.rates import plot_rates
    from ..study.ladder import ladder_rungs
    from ..study.rates import rate_table, rate_trials

    datasets.about(data)
    pair = family(recipe)
    rates = {
        "original": _rates("--original", original, pair.original.lr),
        "modern": _rates("--modern", modern, pair.modern.lr),
    }
    trials = rate_trials(recipe, data, rates, epochs)
    names = {rung.name: rung.title.partition(" (")[0] for rung in ladder_rungs(recipe)}
    titles = {about: f"{names[about[1]]}, {getattr(pair, about[0]).name}" for about in trials.values()}
    writable_folder(out)
    study = Study({trial: f"{titles[about]}, rate {trial.recipe.lr:g}" for trial, about in trials.items()}, store)
    console = new_console()
    outcomes = run_study(study, console, workers, study.labels.__getitem__)
    table = rate_table(trials, outcomes)
    shown = table[["recipe", "rung", "lr", "held_out_accuracy", "mean_accuracy", "best"]]
    shown = shown.assign(lr=[f"{rate:g}" for rate in table["lr"]])
    console.print(_text(f"learning rates on {called or data}, recipe {recipe}", shown))
    console.print(
        f"The family {recipe} has {pair.original.lr:g} and {pair.modern.lr:g}. mean_accuracy: over the networks of a recipe.",
        highlight=False,
        soft_wrap=True,
    )
    described = table.assign(data=called or data, **environment_of(outcomes.values()))
    write_figure(out / f"rates-{data_label(data)}", plot_rates(table, titles), described, console)


def _rates(option: str, given: str, own: float) -> list[float]:
    """The rates that were asked for, by default the recipe's own with half and twice of it."""
    if not given:
        return [own / 2, own, own * 2]
    try:
        rates = [float(text) for text in given.split(",")]
    except ValueError:
        raise AblationError(
            f"{option} {given!r} must be learning rates with commas between, such as 0.01,0.02"
        ) from None
    return sorted(set(rates))


def _text(title: str, table: pd.DataFrame) -> Table:
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name, column in table.items():
        shown.add_column(str(name), justify="right" if pd.api.types.is_numeric_dtype(column) else "left")
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row))
    return shown
