"""`ablation rates`: compare learning rates on held-out training images."""

from __future__ import annotations

from collections.abc import Iterable

from .. import data as datasets
from ..design.recipe_limits import MAX_EPOCHS
from ..design.recipes import Family, family
from ..errors import AblationError, check_number, shown
from ..evidence.rate_table import rate_table
from ..files import writable_folder
from ..show.tables import text_table
from ..study.ladder import ladder_rungs
from ..study.rates import rate_trials
from ..study.study import Study
from .console import data_label, make_console, say, with_conditions, write_figure
from .options import StudyOptions
from .progress import run_with_progress
from .room import check_study

_GRID = (0.5, 1.0, 2.0)
_MAX_RATES = 100  # of one recipe; each is a trial of every network


def compare_rates(original: str, modern: str, epochs: int | None, options: StudyOptions) -> None:
    """Train at several learning rates, print the held-out accuracy of each, and write the figure and its numbers.

    Args:
        original, modern: comma-separated rates of the two recipes; empty for 0.5, 1 and 2 times the rate of the recipe.
        epochs: epochs of each trial; by default, those of the recipe.
        options: options of the study; one seed is trained.
    """
    from ..show.rate_plots import plot_rates

    data, recipe = options.data, options.recipe
    if epochs is not None:
        check_number("epochs", epochs, 1, MAX_EPOCHS, whole=True)
    info = datasets.info(data)
    pair = family(recipe)
    rates = parse_rates(original, modern, pair, _GRID)
    trials = rate_trials(recipe, data, rates, epochs)
    names = {rung.name: rung.title.partition(" (")[0] for rung in ladder_rungs(recipe)}
    titles = {
        (member, rung): f"{names[rung]}, {getattr(pair, member).name}"
        for member, rung in dict.fromkeys(trials.values())
    }
    check_study(options, trials, info)
    writable_folder(options.out)
    labels = {trial: f"{titles[key]}, rate {trial.recipe.lr:g}" for trial, key in trials.items()}
    study = Study(labels, options.store, run_options=options.run_options)
    console = make_console()
    outcomes = run_with_progress(study, console, options.workers)
    table = rate_table(trials, outcomes)
    shown = table[["recipe", "rung", "lr", "held_out_accuracy", "mean_accuracy", "best"]]
    scores = ["diverged" if score != score else f"{score:.2f}" for score in table["held_out_accuracy"]]
    shown = shown.assign(lr=[f"{rate:g}" for rate in table["lr"]], held_out_accuracy=scores)
    console.print(text_table(f"learning rates on {options.data_title}, recipe {recipe}", shown))
    say(
        console,
        f"The family {recipe} uses {pair.original.lr:g} and {pair.modern.lr:g}. "
        "mean_accuracy: mean over the networks of a recipe.",
    )
    described = with_conditions(table, outcomes.values(), options.data_title)
    write_figure(options.out / f"rates-{data_label(data)}", plot_rates(described, titles), described, console)


def parse_rates(original: str, modern: str, pair: Family, grid: Iterable[float]) -> dict[str, list[float]]:
    """Return the rates of --original and --modern, each ascending; without any, the recipe's times each number of a grid.

    Raises:
        AblationError: if an option is not a list of rates, or of too many.
    """
    factors = list(grid)
    return {
        "original": _parse("--original", original, pair.original.lr, factors),
        "modern": _parse("--modern", modern, pair.modern.lr, factors),
    }


def _parse(option: str, given: str, default: float, factors: Iterable[float]) -> list[float]:
    if not given:
        return [factor * default for factor in factors]
    try:
        rates = [float(text) for text in given.split(",")]
    except ValueError:
        raise AblationError(
            f"{option} {shown(given)} must be learning rates separated by commas, such as 0.01,0.02"
        ) from None
    check_number(f"the number of rates in {option}", len(rates), 1, _MAX_RATES, whole=True)
    for rate in rates:
        check_number(f"each rate of {option}, here", rate, 0)
    return sorted(set(rates))
