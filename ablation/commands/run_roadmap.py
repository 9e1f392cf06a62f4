"""`ablation roadmap`: train every rung of a ladder, print the table, write the figure and its numbers."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from .. import data as datasets
from ..design.recipes import family
from ..evidence.ladder_table import OWN_RATES, ladder_accuracies, ladder_table
from ..evidence.presence import presence, steps_of_rungs
from ..evidence.rank_correlation import rank_correlation
from ..files import writable_folder
from ..show.tables import ladder_text, profile_table
from ..study.ladder import check_seeds, ladder_rungs, ladder_trials
from ..study.row_rates import read_rates
from ..study.study import Study
from .console import data_label, make_console, say, with_conditions, write_figure, write_presence
from .options import StudyOptions
from .progress import print_scaled, run_with_progress
from .room import check_study

if TYPE_CHECKING:
    import pandas as pd

    from ..design.recipes import Family
    from ..design.roadmap import Rung
    from ..design.trial import Trial


def run_roadmap(options: StudyOptions) -> None:
    """Print the cost of a ladder, train it, print its results, and write the figure and its numbers."""
    data, start = options.data, options.start
    info, given, pair = datasets.info(data), family(options.recipe), options.recipes
    rates = None if options.rates is None else read_rates(options.rates, pair, start)
    trials = ladder_trials(pair, data, check_seeds(options.seeds), start, rates)
    rungs = ladder_rungs(pair, start)
    check_study(options, trials, info)
    writable_folder(options.out)
    labels = {trial: _label(trial, rung, pair) for trial, rung in trials.items()}
    study = Study(labels, options.store, options.engine, run_options=options.run_options, **options.engine_options)
    console = make_console()
    size = info.size or pair.modern.size
    title = f"{start} ladder as trained here: width / {pair.width_divisor}, {size} px, {info.num_classes} classes"
    console.print(profile_table(title, rungs, size, info.num_classes, info.in_chans))
    print_scaled(options.changes, (given.original, given.modern), console)
    outcomes = run_with_progress(study, console, options.workers)
    table = ladder_table(pair, data, outcomes, start, rates)
    heading = f"{start} ladder on {options.data_title}, recipe {options.recipe_title}, {options.seeds} seeds"
    console.print(ladder_text(table, f"{heading}, {table['rates'].iloc[0]}"))
    say(
        console,
        "step: difference from the previous kept row. ±: half-width of the 95 % interval, from the standard deviation that all "
        "rows of a recipe share (of the two rows alone, by Welch's test, where recipes or variances differ); for the paper, its "
        "standard deviation. p: corrected by Holm for all steps. verdict, against the paper's sign on ImageNet: agrees, reverses "
        "or, where the paper has none, differs: p < 0.05; equivalent: the 90 % interval lies within 1 point of zero; undecided: "
        f"all else.{_power_text(table)} {_rates_text(table)}",
    )
    order = rank_correlation(table)
    if not isnan(order.rho):
        say(console, f"Rank correlation with the paper's accuracies, kept rows: {order}.")
    if info.note:
        say(console, info.note, style="bold")
    from ..show.plots import plot_roadmap

    table = table.assign(rank_correlation=order.rho, rank_correlation_low=order.low, rank_correlation_high=order.high)
    described = with_conditions(table, outcomes.values(), options.data_title, str(options.changes))
    label = f"roadmap-{data_label(data, start)}" if rates is None else f"roadmap-{data_label(data, start)}-own-rates"
    stem = options.out / options.file_label(label)
    title = f"{options.data_title}, {options.changes}" if options.changes else options.data_title
    write_figure(stem, plot_roadmap(table, title), described, console)
    accuracies = ladder_accuracies(pair, data, outcomes, start, rates)
    write_presence(stem, presence(steps_of_rungs(rungs), accuracies), console)


def _label(trial: Trial, rung: Rung, pair: Family) -> str:
    """Return the label of a trial, which says where its rate is not that of the recipe: exports hold both kinds of ladder."""
    rate = trial.recipe.lr
    return rung.title if rate == getattr(pair, rung.recipe).lr else f"{rung.title}, own rate {rate:g}"


def _rates_text(table: pd.DataFrame) -> str:
    """Return at which learning rates the rows were trained, for reading."""
    kind = table["rates"].iloc[0]
    if kind == OWN_RATES:
        rates = ", ".join(f"{title} {rate:g}" for title, rate in zip(table["title"], table["lr"], strict=True))
        return f"{kind}: {rates}."
    rates = " and ".join(
        f"{rate:g} ({name})" for name, rate in dict(zip(table["recipe"], table["lr"], strict=True)).items()
    )
    return f"{kind}: all rows of a recipe are trained at its learning rate, {rates}."


def _power_text(table: pd.DataFrame) -> str:
    """Return what effect the steps with a pooled deviation would show, for reading."""
    effects = table.loc[table["test"] == "pooled", "smallest_effect"].dropna()
    if effects.empty:
        return ""
    least, most = (f"{value:.1f}" for value in (effects.min(), effects.max()))
    of = least if least == most else f"{least} to {most}"
    return f" With these seeds, a difference of {of} points is found with 80 % power (more seeds: `ablation power`)."
