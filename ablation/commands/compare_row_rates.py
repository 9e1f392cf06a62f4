"""`ablation rates --every-row`: compare learning rates for each row of a ladder on held-out training images."""

from __future__ import annotations

from .. import data as datasets
from ..design.recipe_limits import MAX_EPOCHS
from ..design.recipes import family
from ..design.trial import MAX_TRIALS
from ..errors import check_number
from ..evidence.row_rate_table import row_choices, row_rate_table
from ..files import writable_folder
from ..show.tables import text_table
from ..study.ladder import check_seeds, ladder_rungs
from ..study.row_rates import GRID, row_rate_trials
from ..study.study import Study
from .compare_rates import parse_rates
from .console import data_label, make_console, say, with_conditions, write_figure
from .options import StudyOptions
from .progress import run_with_progress
from .room import check_study


def compare_row_rates(original: str, modern: str, epochs: int | None, options: StudyOptions) -> None:
    """Train each row of a ladder at several rates, print which is best for each, and write the figure and its numbers.

    Args:
        original, modern: comma-separated rates of the two recipes; empty for 1/4, 1/2, 1, 2 and 4 times the rate of the recipe.
        epochs: epochs of each trial; by default, those of the recipe.
        options: options of the study.
    """
    from ..show.row_rate_plots import plot_row_rates

    data, start, pair = options.data, options.start, family(options.recipe)
    if epochs is not None:
        check_number("epochs", epochs, 1, MAX_EPOCHS, whole=True)
    info, seeds = datasets.info(data), check_seeds(options.seeds)
    rates = parse_rates(original, modern, pair, GRID)
    count = len(seeds) * sum(len(rates[rung.recipe]) for rung in ladder_rungs(pair, start))
    check_number("trials", count, 1, MAX_TRIALS, whole=True, reason=f": {options.seeds:,} seeds of each rate and row")
    trials = row_rate_trials(pair, data, rates, epochs, seeds, start)
    check_study(options, trials, info)
    writable_folder(options.out)
    labels = {trial: f"{rungs[0].title}, rate {trial.recipe.lr:g}" for trial, rungs in trials.items()}
    study = Study(labels, options.store, run_options=options.run_options)
    console = make_console()
    outcomes = run_with_progress(study, console, options.workers)
    table = row_rate_table(pair, trials, outcomes, start)
    for _, rows in table.groupby("member", sort=False):
        recipe, used = rows["recipe"].iloc[0], rows["recipe_lr"].iloc[0]
        heading = f"held-out top-1 % at each learning rate on {options.data_title}, {recipe}, which uses {used:g}"
        shown = text_table(heading, row_choices(rows), leave_out=["within 1 SE", "spread"])
        console.print(shown)
    stem = options.out / f"rates-{data_label(data, start)}-rows"
    say(
        console,
        f"own rate: the best by mean accuracy; seeds per rate: {options.seeds}. at edge: no rate beyond it was tried, and one "
        "may be better: give more with --original or --modern. within 1 SE: rates that so many images cannot tell from the "
        f"best. spread: best minus worst, in points. `ablation roadmap --rates {stem}.csv` trains each row at its own rate.",
    )
    described = with_conditions(table, outcomes.values(), options.data_title)
    write_figure(stem, plot_row_rates(table, options.data_title), described, console)
