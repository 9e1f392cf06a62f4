"""`ablation export`: write every trial of a store as a row of a CSV file."""

from __future__ import annotations

import sys
from pathlib import Path

from ..files import standard_stream
from ..study.export_file import write_export
from ..study.store import FILE, Store


def export_trials(store: Path, file: Path) -> None:
    """Write every trial of a store as a row of a CSV file, which may be a pipe or standard output."""
    with Store(store / FILE, readonly=True) as opened:
        rows = write_export(opened, file)
    # Not among the rows, where they are read from standard output.
    print(f"wrote {rows} trials to {file}", file=sys.stdout if standard_stream(file) is None else sys.stderr)
