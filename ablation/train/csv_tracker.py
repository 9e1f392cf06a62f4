"""A tracker of Accelerate that writes a line for each epoch into a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from accelerate.tracking import GeneralTracker

from ..files import writable_folder, write_atomically


class CsvTracker(GeneralTracker):
    """Writes a CSV file with a row for each epoch, at once when the epoch ends.

    A file that is there is continued: of the epochs that are trained again, such as those after the last checkpoint, and of an
    incomplete last line only the new rows are kept.

    Args:
        file: the CSV file; its folder is created.
        names: columns besides the epoch; values of other names are left out.
    """

    name = "csv"
    requires_logging_directory = False

    def __init__(self, file: Path, names: Sequence[str]) -> None:
        super().__init__()
        self.file, self._columns = file, ("epoch", *names)
        self._began = False

    @property
    def tracker(self) -> Path:
        """The file."""
        return self.file

    def start(self) -> None:
        """Make the folder, so that one that cannot be written is found before training."""
        writable_folder(self.file.parent)

    def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
        """Write the row of an epoch.

        Args:
            values: by column; a column without a value is empty.
            step: the epoch, from 1.
        """
        if not self._began:
            earlier = [row for row in self._rows() if int(row["epoch"]) < (step or 1)]
            write_atomically(self.file, self._lines(earlier, header=True))
            self._began = True
        with self.file.open("a", encoding="utf-8", newline="") as opened:
            opened.write(self._lines([{**values, "epoch": step}]))

    def _rows(self) -> list[dict[str, str]]:
        """Return the complete rows that the file has, if it is one of ours."""
        try:
            text = self.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return []
        reader = csv.DictReader(io.StringIO(text[: text.rfind("\n") + 1]))
        return [row for row in reader if None not in row.values() and str(row.get("epoch")).isdecimal()]

    def _lines(self, rows: list[dict[str, Any]], header: bool = False) -> str:
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, restval="", extrasaction="ignore", lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()
