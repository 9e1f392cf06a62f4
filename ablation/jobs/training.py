"""Train a ladder or one network, evaluate weights."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ..design import roadmap as roads
from ..errors import AblationError
from ..files import writable_folder
from ..show.tables import ladder_text, profile_table
from ..study import data as datasets
from ..study.engines import Event
from ..study.ladder import check_seeds, ladder_rungs, ladder_table, ladder_trials
from ..study.recipe import family, plan_of
from ..study.study import Study
from ..study.trial import Outcome, Trial
from .saying import bar_of, data_label, environment_of, new_console, write_figure

if TYPE_CHECKING:
    import pandas as pd


def train_ladder(
    data: str, recipe: str, seeds: int, start: str, called: str, out: Path, store: Path, workers: int | None
) -> None:
    """Profile and train a ladder, print its table, write its figure and numbers."""
    called = called or data
    about, pair = datasets.about(data), family(recipe)
    if workers is not None and workers < 1:
        raise AblationError(f"workers {workers} must be 1 or more")
    trials = ladder_trials(recipe, data, check_seeds(seeds), start)
    rungs = ladder_rungs(recipe, start)
    writable_folder(out)
    study = Study({trial: rung.title for trial, rung in trials.items()}, store)
    console = new_console()
    size = about.size or pair.modern.size
    title = f"{start} ladder as trained here: width / {pair.width_divisor}, {size} px, {about.num_classes} classes"
    console.print(profile_table(title, rungs, size, about.num_classes, about.in_chans))
    outcomes = run_study(study, console, workers, lambda trial: trials[trial].title)
    table = ladder_table(recipe, data, outcomes, start)
    console.print(ladder_text(table, f"{start} ladder on {called}, recipe {recipe}, {seeds} seeds"))
    console.print(
        "step: difference to the kept row before, paired by seed. ±: half-width of the 95 % t-interval, for the paper its "
        "standard deviation. verdict: this sign against that of the paper's ImageNet result.",
        soft_wrap=True,
        highlight=False,
    )
    if about.note:
        console.print(about.note, style="bold", soft_wrap=True, highlight=False)
    _write(table, outcomes, data, called, start, out, console)


def train_one(
    steps: list[str],
    start: str,
    rung: str | None,
    data: str,
    recipe: str,
    seed: int,
    precision: str,
    accumulate: int,
    store: Path,
) -> None:
    """Train one network and print its outcome; of several processes, the first one speaks."""
    pair = family(recipe)
    if rung and steps:
        raise AblationError("give steps or --rung, not both")
    if rung:
        chosen = roads.find(rung, ladder_rungs(recipe, start))
    else:
        chosen = roads.road(steps, start, pair.width_divisor, pair.stem_stride)[-1]
    trial = Trial(chosen.architecture, pair.original if chosen.recipe == "original" else pair.modern, data, seed)
    datasets.about(data)
    from ..study.training import run

    devices = int(os.environ.get("WORLD_SIZE", "1"))
    plan = plan_of(trial.recipe, datasets.load(data).steps_per_epoch(trial.recipe), devices, accumulate)
    speaks = os.environ.get("RANK", "0") == "0"
    console = Console(file=sys.stdout if speaks else io.StringIO())
    console.print(f"{chosen.architecture!r}, recipe {trial.recipe.name}, {data}, seed {seed}", soft_wrap=True)
    console.print(str(plan), soft_wrap=True, highlight=False)

    def report(epoch: int, epochs: int, loss: float) -> None:
        console.print(f"epoch {epoch}/{epochs}  training loss {loss:.4f}", highlight=False)

    try:
        outcome = run(trial, store / "weights", report, precision, accumulate)
    except KeyboardInterrupt:
        print("ablation: interrupted. A checkpoint is kept: the same command goes on from there", file=sys.stderr)
        raise
    if outcome.status != "done":
        raise AblationError(outcome.reason)
    console.print(
        f"top-1 {outcome.accuracy:.2f} % on {outcome.test_images} test images, {outcome.seconds:.1f} s, "
        f"{outcome.images_per_second:.0f} images/s",
        highlight=False,
    )


def evaluate_weights(weights: Path, data: str, recipe: str) -> None:
    """Score a file of weights on the test images of a data set and print the result."""
    about, chosen = datasets.about(data), family(recipe).modern
    from ..network import load_weights
    from ..study.evaluation import evaluate

    network = load_weights(weights)
    if (network.num_classes, network.in_chans) != (about.num_classes, about.in_chans):
        raise AblationError(
            f"{weights} is for {network.num_classes} classes and {network.in_chans} channels, but {data} has "
            f"{about.num_classes} and {about.in_chans}"
        )
    network.architecture.sizes(about.size or chosen.size)
    accuracy, loss, images = evaluate(network, datasets.load(data), chosen)
    print(f"top-1 {accuracy:.2f} %, cross entropy {loss:.4f}, {images} test images")


def run_study(
    study: Study, console: Console, workers: int | None, name: Callable[[Trial], str]
) -> dict[Trial, Outcome]:
    """Run what is missing, with a bar on a terminal and a line a trial elsewhere."""
    done, missing = len(study.trials) - len(study.missing()), len(study.missing())
    console.print(f"{missing} trials to train, {done} done before", highlight=False)
    with bar_of(console) as bar:
        task = bar.add_task("training", total=missing)
        finished = 0

        def on_event(event: Event) -> None:
            nonlocal finished
            trial, outcome = event.trial, event.outcome
            if outcome is None:
                return
            finished += 1
            score = f"{outcome.accuracy:5.1f} %" if outcome.accuracy is not None else outcome.status
            line = f"{finished:3}/{missing}  {name(trial):28} seed {trial.seed}  {score}  {outcome.seconds:5.1f} s"
            bar.console.print(line, highlight=False)
            bar.update(task, advance=1)

        try:
            outcomes = study.run(workers, on_event)
        except (KeyboardInterrupt, SystemExit):
            print("ablation: interrupted. What had ended is kept; the same command goes on from there", file=sys.stderr)
            raise
    failed = study.failed()
    for trial, outcome in failed.items():
        print(f"ablation: {name(trial)}, seed {trial.seed}, failed:\n{outcome.reason}", file=sys.stderr)
    if failed:
        raise AblationError(f"{len(failed)} of {len(study.trials)} trials failed; the same command tries them again")
    return outcomes


def _write(
    table: pd.DataFrame,
    outcomes: dict[Trial, Outcome],
    data: str,
    called: str,
    start: str,
    out: Path,
    console: Console,
) -> None:
    """The figure and its numbers side by side, each there whole or not at all."""
    from ..show.plots import plot_roadmap

    stem = out / f"roadmap-{data_label(data, start)}"
    seconds = sum(outcome.seconds for outcome in outcomes.values())
    described = table.assign(data=called, seconds=seconds, **environment_of(outcomes.values()))
    write_figure(stem, plot_roadmap(table, called), described, console)
