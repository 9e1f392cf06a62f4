"""`ablation status`: which trials of a store are done, running or failed. Fast, because torch is not imported."""

from __future__ import annotations

from pathlib import Path

from ..study.lock import describe_driver
from ..study.store import FILE, Store
from .console import make_console, say


def show_status(store: Path) -> None:
    """Print how many trials of a store are done, which are running, and why others failed."""
    console = make_console()
    with Store(store / FILE, readonly=True) as opened:
        summary = opened.summary()
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
