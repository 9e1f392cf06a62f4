"""Progress of a running study on a terminal: running trials, their speed and their remaining time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import Progress, TextColumn

from .. import data as datasets
from ..design.recipe import Recipe
from ..design.recipe_changes import RecipeChanges
from ..design.trial import Outcome, Trial
from ..errors import AblationError
from ..show.fitting import FittedTable
from ..study.engines import Event
from ..study.study import Study
from ..train.devices import announcement
from .console import bar_columns, format_duration, progress_bar, say

_RUNNING = ("running", "seed", "epoch", "training loss", "images/s", "left", "attempt")


@dataclass
class _Row:
    """A running trial: when and from which epoch it was first observed, and its progress."""

    attempt: int
    since: float
    first: int = 0
    epoch: int = 0
    epochs: int = 0
    loss: float = float("nan")
    last: float = 0.0

    @property
    def epoch_seconds(self) -> float | None:
        """Mean duration of an epoch in seconds; None until one epoch has been observed from start to end."""
        done = self.epoch - self.first
        return (self.last - self.since) / done if done > 0 else None


class StudyProgress:
    """A live table of the running trials, with a bar over all of them.

    Args:
        total: number of trials to run.
        name: function that names a trial.
        images: function that returns a trial's training images per epoch.
        console: where the table is shown.
        now: clock in seconds.
    """

    def __init__(
        self,
        total: int,
        name: Callable[[Trial], str],
        images: Callable[[Trial], int],
        console: Console,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.images, self.now = name, images, now
        self.rows: dict[Trial, _Row] = {}
        self.began, self.ended, self.total = now(), 0, total
        self.bar = Progress(*bar_columns(console), TextColumn("{task.fields[left]}"), console=console)
        self.task = self.bar.add_task("trials", total=total, left="")

    def on_event(self, event: Event) -> None:
        """Update the table with an event."""
        now = self.now()
        if event.kind == "ended":
            self.rows.pop(event.trial, None)
            self.ended += 1
            left = (now - self.began) / self.ended * (self.total - self.ended)
            self.bar.update(self.task, advance=1, left=f"about {format_duration(left)} left" if left else "")
            return
        if event.kind == "started":
            self.rows[event.trial] = _Row(event.attempt, now)
            return
        row = self.rows.setdefault(event.trial, _Row(event.attempt, now))
        if row.epoch == 0 and event.epoch > 1:  # resumed from a checkpoint: this epoch was not observed from its start
            row.first, row.since = event.epoch, now
        row.epoch, row.epochs, row.loss, row.last = event.epoch, event.epochs, event.loss, now

    def __rich__(self) -> Group:
        cells: dict[str, list[str]] = {name: [] for name in _RUNNING}
        for trial, row in self.rows.items():
            seconds = row.epoch_seconds
            speed = f"{self.images(trial) / seconds:.0f}" if seconds else ""
            left = format_duration(seconds * (row.epochs - row.epoch)) if seconds and row.epoch < row.epochs else ""
            loss = f"{row.loss:.4f}" if row.epoch else ""
            epoch = f"{row.epoch}/{row.epochs}" if row.epoch else ""
            shown = (self.name(trial), str(trial.seed), epoch, loss, speed, left, str(row.attempt))
            for name, cell in zip(_RUNNING, shown, strict=True):
                cells[name].append(cell)
        table = FittedTable()
        for name, column in cells.items():
            table.add(name, column, "left" if name == "running" else "right")
        table.wrap_headings()
        table.wrap("running", 26)
        table.shorten("attempt")
        return Group(table, self.bar)


def run_with_progress(study: Study, console: Console, workers: int | None) -> dict[Trial, Outcome]:
    """Run the missing trials of a study, with a live table on a terminal and a line for each trial that ends.

    Args:
        study: a study whose trials have labels.
        console: where the progress is shown.
        workers: trials at a time, or None for as many as there is room for.

    Raises:
        AblationError: if any trial failed; the reasons are printed first.
    """
    missing = study.missing()
    done_before = len(study.trials) - len(missing)
    say(console, f"{len(missing)} trials to train, {done_before} already done")
    if missing and study.is_local:
        options = study.settled_options()  # raises before anything is timed
        if said := announcement(study.run_options.get("device", "auto"), study.run_options.get("precision", "auto")):
            say(console, said)
        _print_forecast(missing, workers, options, console)
    progress = StudyProgress(len(missing), study.labels.__getitem__, _images_per_epoch, console)
    live = Live(progress, console=console, refresh_per_second=2, transient=True)
    with live if console.is_terminal else nullcontext():

        def on_event(event: Event) -> None:
            progress.on_event(event)
            trial, outcome = event.trial, event.outcome
            if outcome is not None:
                score = f"{outcome.accuracy:5.1f} %" if outcome.accuracy is not None else outcome.status
                count = f"{progress.ended:3}/{len(missing)}"
                line = f"{count}  {study.labels[trial]:28} seed {trial.seed}  {score}  {outcome.seconds:5.1f} s"
                say(console, line)

        try:
            outcomes = study.run(workers, on_event)
        except (KeyboardInterrupt, SystemExit):
            print(
                "ablation: interrupted. Finished trials are kept; the same command resumes the study", file=sys.stderr
            )
            raise
    failed = study.failed()
    for trial, outcome in failed.items():
        print(f"ablation: {study.labels[trial]}, seed {trial.seed}, failed:\n{outcome.reason}", file=sys.stderr)
    if failed:
        raise AblationError(f"{len(failed)} of {len(study.trials)} trials failed; the same command retries them")
    return outcomes


def print_scaled(changes: RecipeChanges, recipes: Iterable[Recipe], console: Console) -> None:
    """Print what another number of epochs changes in recipes besides it, a line for each."""
    for recipe in recipes:
        if scaled := changes.scaled(recipe):
            say(console, f"recipe {recipe.name}: {scaled}")


def _images_per_epoch(trial: Trial) -> int:
    return datasets.load(trial.data).steps_per_epoch(trial.recipe) * trial.recipe.batch_size


def _print_forecast(
    missing: Sequence[Trial], workers: int | None, run_options: Mapping[str, Any], console: Console
) -> None:
    """Print where trials run on GPUs, and how long a long run will take, before it starts."""
    from ..study.engines.sharing import place
    from ..study.forecast import forecast

    if missing and (places := place(missing, workers, run_options)).gpus:
        say(console, str(places))
    with progress_bar(console) as bar:
        task = bar.add_task("timing one step of each network", total=None)
        seconds = forecast(
            missing, workers, lambda done, total: bar.update(task, completed=done, total=total), run_options
        )
    if seconds is not None:
        say(
            console,
            f"about {format_duration(seconds)} on this machine, estimated from one training step of each network; "
            "finished trials are kept if you stop",
        )
