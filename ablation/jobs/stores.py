"""Stores: say where one stands, hand its rows on, take in those of another. No torch, so that looking is instant."""

from __future__ import annotations

from pathlib import Path

from ..errors import AblationError
from ..files import writable_folder
from ..study.lock import driver_of, only_driver
from ..study.store import FILE, Store, read_export
from .saying import new_console


def say_status(store: Path) -> None:
    """How many trials of a store are done, what runs, and why others failed."""
    console = new_console()
    with _reader(store) as opened:
        summary = opened.summary()
    counts = ", ".join(f"{number} {status}" for status, number in summary.counts.items())
    console.print(f"{counts}; {summary.not_learning} not learning", highlight=False)
    driver = driver_of(store)
    console.print(
        f"driver: {driver}" if driver else "no driver: nothing runs in this store now", highlight=False, soft_wrap=True
    )
    for running in summary.running if driver else ():
        loss = "" if running.loss is None else f", training loss {running.loss:.4f}"
        where = f"{running.label}, seed {running.seed}, {running.data}"
        console.print(
            f"running  {where}: epoch {running.epoch}/{running.epochs}{loss}", highlight=False, soft_wrap=True
        )
    for label, seed, attempts, reason in summary.failed:
        last = (reason.strip().splitlines() or [""])[-1]
        console.print(f"failed   {label}, seed {seed}, {attempts} attempts: {last}", highlight=False, soft_wrap=True)


def export_rows(store: Path, file: Path) -> None:
    """Every trial of a store as a row of a CSV file."""
    with _reader(store) as opened:
        rows = opened.export(file)
    print(f"wrote {rows} trials to {file}")


def import_rows(store: Path, file: Path) -> None:
    """Outcomes of an exported file into a store."""
    rows = read_export(file)
    with only_driver(writable_folder(store)), Store(store / FILE) as opened:
        new, before = opened.take_in(rows)
    print(f"took {new} outcomes from {file} into {store}; {before} were there before")


def _reader(store: Path) -> Store:
    if not (store / FILE).is_file():
        raise AblationError(
            f"{store} holds no study: expected is a file {FILE} in it, as `ablation study` and `roadmap` write"
        )
    return Store(store / FILE, readonly=True)
