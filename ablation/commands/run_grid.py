"""`ablation study grid`: train the rows around some steps in each cell of a grid, and print when each step pays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from .. import data as datasets
from ..data import DatasetInfo
from ..design.recipe_changes import RecipeChanges
from ..design.roadmap import Rung
from ..design.trial import Trial
from ..evidence.contrasts import LEAST_SEEDS
from ..evidence.grid_table import grid_table
from ..files import writable_folder
from ..show.tables import grid_text
from ..study.grid import Cell, grid_cells, grid_steps, grid_trials
from ..study.ladder import check_seeds
from ..study.study import Study
from .console import data_label, fit_name, make_console, say, with_conditions, write_figure
from .grid_axes import GridAxes
from .options import StudyOptions
from .progress import run_with_progress
from .room import check_study

if TYPE_CHECKING:
    from rich.console import Console


def run_grid(steps: Sequence[str], axes: GridAxes, options: StudyOptions) -> None:
    """Train a grid, print the contrast of each step in each cell, and write the heat map and its numbers.

    Args:
        steps: names of rows of the ladder, joined by + where steps are taken together; empty for those that the paper kept.
        axes: numbers of training images, sizes and epochs.
        options: options of the study; its changes hold no epochs.
    """
    data, start, pair = options.data, options.start, options.recipes
    info, chosen = datasets.info(data), grid_steps(steps, start)
    cells = grid_cells(pair, data, axes.images, axes.sizes, axes.epochs)
    trials = grid_trials(chosen, cells, check_seeds(options.seeds), start)
    _check_trials(options, trials, info)
    writable_folder(options.out)
    varied = [name for name in cells[0].axes if len({cell.axes[name] for cell in cells}) > 1]
    labels = {trial: ", ".join([rung.title, *_place(cell, varied)]) for trial, (rung, cell) in trials.items()}
    study = Study(labels, options.store, options.engine, run_options=options.run_options, **options.engine_options)
    console = make_console()
    for epochs in axes.epochs:
        if scaled := RecipeChanges(epochs=epochs).scaled(pair.modern):
            say(console, f"recipe {pair.modern.name}, {epochs} epochs: {scaled}")
    outcomes = run_with_progress(study, console, options.workers)
    table = grid_table(chosen, cells, outcomes, start)
    heading = f"when a step pays: {options.data_title}, recipe {options.recipe_title}, {options.seeds} seeds"
    console.print(grid_text(table, heading))
    _print_legend(options.seeds, len(table), console)
    if info.note:
        say(console, info.note, style="bold")
    from ..show.grid_plots import plot_grid

    described = with_conditions(table, outcomes.values(), options.data_title, str(options.changes))
    stem = options.out / fit_name(f"study-grid-{options.file_label(data_label(data, start))}{axes}")
    title = f"{options.data_title}, recipe {options.recipe_title}"
    write_figure(stem, plot_grid(table, title), described, console)


def _check_trials(options: StudyOptions, trials: Mapping[Trial, tuple[Rung, Cell]], info: DatasetInfo) -> None:
    """Raise an `AblationError` where the data of a cell have too few images, or its networks need too much memory."""
    for size in dict.fromkeys(cell.size for _, cell in trials.values()):
        own = [trial for trial, (_, cell) in trials.items() if cell.size == size]
        check_study(options, own, dataclasses.replace(info, size=size))
    for data, recipe in dict.fromkeys((trial.data, trial.recipe) for trial in trials):
        datasets.load(data).steps_per_epoch(recipe)


def _place(cell: Cell, varied: Iterable[str]) -> list[str]:
    """Return the position of a cell on the axes that have more than one value, as text."""
    units = {"images": "images", "size": "px", "epochs": "epochs"}
    return [
        f"{value:,} {units[name]}" if isinstance(value := cell.axes[name], int) else f"{value} {units[name]}"
        for name in varied
    ]


def _print_legend(seeds: int, contrasts: int, console: Console) -> None:
    """Print what the columns mean, and why there is no verdict where there is none."""
    say(
        console,
        "step: mean accuracy of the row after the step minus that of the row before; ±: half-width of the 95 % interval, from "
        f"the standard deviation pooled over the rows of a cell. p: after Holm's correction over all {contrasts} contrasts. "
        "finds: smallest step that is found with 80 % power. verdict: compared with the sign of the paper's ImageNet result.",
    )
    if seeds < LEAST_SEEDS:
        say(console, f"no verdicts: they need {LEAST_SEEDS} seeds")
