"""`ablation status`: which trials of a store are done, running or failed. Fast, because torch is not imported."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from ..study.lock import describe_driver
from ..study.store import FILE, Store
from .console import make_console, say
from .parameters import STORE

if TYPE_CHECKING:
    from rich.console import Console

_STARTS = (
    ("roadmap", "every rung of the ladder on 8 x 8 digits, in minutes"),
    ("train --rung depthwise", "one network"),
    ("study leave-one-out", "the ladder without each of its steps"),
    ("import FILE.csv", "what `ablation export` wrote on another machine"),
)


def show_status(store: Path) -> None:
    """Print how many trials of a store are done, which are running, and why others failed; without trials, how to start."""
    console = make_console()
    if not (store / FILE).is_file():
        _print_start(store, console)
        return
    with Store(store / FILE, readonly=True) as opened:
        summary = opened.summary()
    if not any(summary.counts.values()):
        _print_start(store, console)
        return
    counts = ", ".join(f"{number} {status}" for status, number in summary.counts.items())
    say(console, f"{counts}; {summary.not_learning} not learning")
    driver = describe_driver(store)
    line = f"driver: {driver}" if driver else "no driver: nothing is running in this store"
    say(console, line)
    for running in summary.running if driver else ():
        loss = "" if running.loss is None else f", training loss {running.loss:.4f}"
        trial = f"{running.label}, seed {running.seed}, {running.data}"
        line = f"running  {trial}: epoch {running.epoch}/{running.epochs}{loss}"
        say(console, line)
    for label, seed, attempts, reason in summary.failed:
        last = (reason.strip().splitlines() or [""])[-1]
        say(console, f"failed   {label}, seed {seed}, {attempts} attempts: {last}")


def _print_start(store: Path, console: Console) -> None:
    """Print what fills a store."""
    say(console, f"{store} holds no trials yet. What fills it:")
    where = "" if store == STORE else f" --store {shlex.quote(str(store))}"
    for command, purpose in _STARTS:
        console.print(f"  ablation {command}{where}\n      {purpose}", highlight=False, soft_wrap=True)
