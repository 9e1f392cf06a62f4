"""A study under way, on a terminal: what runs, how fast, how long it will take; and a bar over all of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich import box
from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..study.engines import Event
from ..study.trial import Trial
from .saying import in_words


@dataclass
class _Row:
    """A trial that runs: since when, from which epoch on, and where it stands."""

    attempt: int
    since: float
    first: int = 0
    epoch: int = 0
    epochs: int = 0
    loss: float = float("nan")
    last: float = 0.0

    @property
    def epoch_seconds(self) -> float | None:
        """Of one epoch; None before one has been seen from its start to its end."""
        done = self.epoch - self.first
        return (self.last - self.since) / done if done > 0 else None


class Board:
    """Hears of events and shows where they lead.

    Args:
        total: trials that will end.
        name: what to call a trial.
        images: training images in one epoch of a trial.
        console: where it is shown.
        now: a clock in seconds.
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
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bar = Progress(*columns, TextColumn("{task.fields[left]}"), console=console)
        self.task = self.bar.add_task("trials", total=total, left="")

    def hear(self, event: Event) -> None:
        """Take note of what happened to a trial."""
        now = self.now()
        if event.kind == "ended":
            self.rows.pop(event.trial, None)
            self.ended += 1
            left = (now - self.began) / self.ended * (self.total - self.ended)
            self.bar.update(self.task, advance=1, left=f"about {in_words(left)} left" if left else "")
            return
        if event.kind == "started":
            self.rows[event.trial] = _Row(event.attempt, now)
            return
        row = self.rows.setdefault(event.trial, _Row(event.attempt, now))
        if row.epoch == 0 and event.epoch > 1:  # it goes on from a checkpoint: this epoch was not seen whole
            row.first, row.since = event.epoch, now
        row.epoch, row.epochs, row.loss, row.last = event.epoch, event.epochs, event.loss, now

    def __rich__(self) -> Group:
        table = Table(box=box.SIMPLE_HEAD)
        for column in ("running", "seed", "epoch", "training loss", "images/s", "left", "attempt"):
            table.add_column(column, justify="left" if column == "running" else "right")
        for trial, row in self.rows.items():
            one = row.epoch_seconds
            speed = f"{self.images(trial) / one:.0f}" if one else ""
            left = in_words(one * (row.epochs - row.epoch)) if one and row.epoch < row.epochs else ""
            loss = f"{row.loss:.4f}" if row.epoch else ""
            epoch = f"{row.epoch}/{row.epochs}" if row.epoch else ""
            table.add_row(self.name(trial), str(trial.seed), epoch, loss, speed, left, str(row.attempt))
        return Group(table, self.bar)
