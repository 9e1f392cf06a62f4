"""Train a ladder or one network, evaluate weights."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from ..design import roadmap as roads
from ..design.architecture import Architecture
from ..errors import AblationError
from ..files import writable_folder
from ..show.tables import ladder_text, profile_table
from ..study import data as datasets
from ..study.engines import Event
from ..study.ladder import check_seeds, ladder_rungs, ladder_table, ladder_trials
from ..study.recipe import family, plan_of
from ..study.store import label_of
from ..study.study import Study
from ..study.trial import Outcome, Trial
from .board import Board
from .saying import bar_of, data_label, environment_of, in_words, new_console, write_figure

if TYPE_CHECKING:
    import pandas as pd


def train_ladder(
    data: str,
    recipe: str,
    seeds: int,
    start: str,
    called: str,
    out: Path,
    store: Path,
    workers: int | None,
    where: dict[str, Any],
) -> None:
    """Profile and train a ladder, print its table, write its figure and numbers."""
    called = called or data
    about, pair = datasets.about(data), family(recipe)
    if workers is not None and workers < 1:
        raise AblationError(f"workers {workers} must be 1 or more")
    trials = ladder_trials(recipe, data, check_seeds(seeds), start)
    rungs = ladder_rungs(recipe, start)
    writable_folder(out)
    study = Study({trial: rung.title for trial, rung in trials.items()}, store, **where)
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
    model: str | None,
    data: str,
    recipe: str,
    seed: int,
    precision: str,
    accumulate: int,
    store: Path,
) -> None:
    """Train one network and print its outcome; of several processes, the first one speaks."""
    pair = family(recipe)
    if sum(map(bool, (steps, rung, model))) > 1:
        raise AblationError("give steps, --rung or --model, not two of them")
    chosen: Architecture | str
    if model:
        from .networks import timm_name

        chosen, member = f"timm:{timm_name(model)}", "modern"
    else:
        found = (
            roads.find(rung, ladder_rungs(recipe, start))
            if rung
            else roads.road(steps, start, pair.width_divisor, pair.stem_stride)[-1]
        )
        chosen, member = found.architecture, found.recipe
    trial = Trial(chosen, pair.original if member == "original" else pair.modern, data, seed)
    datasets.about(data)
    from ..study.training import run

    devices = int(os.environ.get("WORLD_SIZE", "1"))
    plan = plan_of(trial.recipe, datasets.load(data).steps_per_epoch(trial.recipe), devices, accumulate)
    speaks = os.environ.get("RANK", "0") == "0"
    console = Console(file=sys.stdout if speaks else io.StringIO())
    console.print(f"{label_of(trial)}, recipe {trial.recipe.name}, {data}, seed {seed}", soft_wrap=True)
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


def run_study(
    study: Study, console: Console, workers: int | None, name: Callable[[Trial], str]
) -> dict[Trial, Outcome]:
    """Run what is missing, with a live table on a terminal and a line for each trial that ends."""
    missing = study.missing()
    console.print(f"{len(missing)} trials to train, {len(study.trials) - len(missing)} done before", highlight=False)
    if study.is_local:
        _say_forecast(missing, workers, console)
    board = Board(len(missing), name, _images, console)
    with Live(board, console=console, refresh_per_second=2, transient=True) if console.is_terminal else nullcontext():

        def on_event(event: Event) -> None:
            board.hear(event)
            trial, outcome = event.trial, event.outcome
            if outcome is not None:
                score = f"{outcome.accuracy:5.1f} %" if outcome.accuracy is not None else outcome.status
                line = f"{board.ended:3}/{len(missing)}  {name(trial):28} seed {trial.seed}  {score}  {outcome.seconds:5.1f} s"
                console.print(line, highlight=False)

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


def _images(trial: Trial) -> int:
    return datasets.load(trial.data).steps_per_epoch(trial.recipe) * trial.recipe.batch_size


def _say_forecast(missing: Sequence[Trial], workers: int | None, console: Console) -> None:
    """Before a long run, how long it will be."""
    from ..study.forecast import forecast

    with bar_of(console) as bar:
        task = bar.add_task("timing a step of each network", total=None)
        seconds = forecast(missing, workers, lambda done, total: bar.update(task, completed=done, total=total))
    if seconds is not None:
        console.print(
            f"about {in_words(seconds)} on this machine, by a training step of each network; what is done is kept if you stop",
            highlight=False,
        )


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
