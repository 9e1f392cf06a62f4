"""`ablation export`: write every trial of a store as a row of a CSV file."""

from __future__ import annotations

from pathlib import Path

from ..study.export_file import write_export
from ..study.store import FILE, Store


def export_trials(store: Path, file: Path) -> None:
    """Write every trial of a store as a row of a CSV file."""
    with Store(store / FILE, readonly=True) as opened:
        rows = write_export(opened, file)
    print(f"wrote {rows} trials to {file}")
