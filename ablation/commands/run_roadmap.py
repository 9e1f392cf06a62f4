"""`ablation roadmap`: train every rung of a ladder, print the table, write the figure and its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import data as datasets
from ..design.recipes import family
from ..evidence.ladder_table import ladder_accuracies, ladder_table
from ..evidence.presence import presence, steps_of_rungs
from ..files import writable_folder
from ..show.tables import ladder_text, profile_table
from ..study.ladder import check_seeds, ladder_rungs, ladder_trials
from ..study.study import Study
from .console import data_label, make_console, merge_environments, write_figure, write_presence
from .options import StudyOptions
from .progress import print_scaled, run_with_progress
from .room import check_study

if TYPE_CHECKING:
    import pandas as pd


def run_roadmap(options: StudyOptions) -> None:
    """Print the cost of a ladder, train it, print its results, and write the figure and its numbers."""
    data, start = options.data, options.start
    info, given, pair = datasets.info(data), family(options.recipe), options.recipes
    trials = ladder_trials(pair, data, check_seeds(options.seeds), start)
    rungs = ladder_rungs(pair, start)
    check_study(options, trials, info)
    writable_folder(options.out)
    labels = {trial: rung.title for trial, rung in trials.items()}
    study = Study(labels, options.store, options.engine, run_options=options.run_options, **options.engine_options)
    console = make_console()
    size = info.size or pair.modern.size
    title = f"{start} ladder as trained here: width / {pair.width_divisor}, {size} px, {info.num_classes} classes"
    console.print(profile_table(title, rungs, size, info.num_classes, info.in_chans))
    print_scaled(options.changes, (given.original, given.modern), console)
    outcomes = run_with_progress(study, console, options.workers)
    table = ladder_table(pair, data, outcomes, start)
    heading = f"{start} ladder on {options.data_title}, recipe {options.recipe_title}, {options.seeds} seeds"
    console.print(ladder_text(table, heading))
    console.print(
        "step: difference from the previous kept row. ±: half-width of the 95 % interval, from the standard deviation that all "
        "rows of a recipe share (of the two rows alone, by Welch's test, where recipes or variances differ); for the paper, its "
        "standard deviation. p: corrected by Holm for all steps. verdict, against the paper's sign on ImageNet: agrees, reverses "
        "or, where the paper has none, differs: p < 0.05; equivalent: the 90 % interval lies within 1 point of zero; undecided: "
        f"all else.{_power_text(table)}",
        soft_wrap=True,
        highlight=False,
    )
    if info.note:
        console.print(info.note, style="bold", soft_wrap=True, highlight=False)
    from ..show.plots import plot_roadmap

    seconds = sum(outcome.seconds for outcome in outcomes.values())
    described = table.assign(data=options.data_title, seconds=seconds, **merge_environments(outcomes.values()))
    if options.changes:
        described = described.assign(recipe_changes=str(options.changes))
    stem = options.out / options.file_label(f"roadmap-{data_label(data, start)}")
    title = f"{options.data_title}, {options.changes}" if options.changes else options.data_title
    write_figure(stem, plot_roadmap(table, title), described, console)
    accuracies = ladder_accuracies(pair, data, outcomes, start)
    write_presence(stem, presence(steps_of_rungs(rungs), accuracies), console)


def _power_text(table: pd.DataFrame) -> str:
    """Return what effect the steps with a pooled deviation would show, for reading."""
    effects = table.loc[table["test"] == "pooled", "smallest_effect"].dropna()
    if effects.empty:
        return ""
    least, most = (f"{value:.1f}" for value in (effects.min(), effects.max()))
    of = least if least == most else f"{least} to {most}"
    return f" With these seeds, a difference of {of} points is found with 80 % power (more seeds: `ablation power`)."
