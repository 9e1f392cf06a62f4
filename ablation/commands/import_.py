"""`ablation import`: merge the outcomes of an exported file into a store."""

from __future__ import annotations

from pathlib import Path

from ..files import writable_folder
from ..study.export_file import read_export
from ..study.lock import driver_lock
from ..study.store import FILE, Store


def import_trials(store: Path, file: Path) -> None:
    """Merge the outcomes of an exported file into a store; outcomes that it already has are left unchanged."""
    rows = read_export(file)
    with driver_lock(writable_folder(store)), Store(store / FILE) as opened:
        new, known = opened.merge(rows)
    print(f"imported {new} outcomes from {file} into {store}; {known} were already in the store")
