"""`ablation import`: merge the outcomes of an exported file into a store."""

from __future__ import annotations

from pathlib import Path

from ..files import writable_folder
from ..study.adopt import adopt, copy_weights
from ..study.export_file import read_export
from ..study.lock import driver_lock
from ..study.store import FILE, Store
from .console import make_console, say


def import_trials(store: Path, file: Path, same_images: Path | None = None) -> None:
    """Merge the outcomes of an exported file into a store; outcomes that it already has are left unchanged.

    Args:
        store: folder of the store.
        file: CSV file that `ablation export` wrote.
        same_images: folder of images whose trials an earlier version kept by names and sizes of files, or None.
    """
    rows = read_export(file)
    keys: dict[str, str] = {}
    if same_images is not None:
        rows, keys = adopt(rows, same_images)
    with driver_lock(writable_folder(store)), Store(store / FILE) as opened:
        new, known = opened.merge(rows)
        copied = copy_weights(store, keys)
    console = make_console()
    say(console, f"imported {new} outcomes from {file} into {store}; {known} were already in the store")
    if keys:
        weights = f", with the weights of {copied}" if copied else ""
        say(
            console,
            f"{len(keys)} of them are taken to be of {same_images}{weights}: its files have the same names and sizes, and "
            "their contents cannot be compared",
        )
