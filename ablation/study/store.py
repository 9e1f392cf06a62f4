"""Every outcome in one SQLite file, under the key of its trial: what was done is never done again."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from pathlib import Path
from typing import Any

from ..errors import AblationError
from ..files import writable_folder
from .trial import Outcome, Trial

_VERSION = 1
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS outcomes (
    key TEXT PRIMARY KEY,
    trial TEXT NOT NULL,
    data_checksum TEXT NOT NULL,
    outcome TEXT NOT NULL,
    finished TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
PRAGMA user_version = {_VERSION};
"""


class Store:
    """Outcomes by trial, in `FILE`. Each is there whole or not at all; a reader never waits for a writer.

    Args:
        file: of the store; made if there is none.

    Raises:
        AblationError: if the file cannot be written, is no SQLite file, or was written by another version.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        writable_folder(self.file.parent)
        try:
            self._connection = sqlite3.connect(self.file, timeout=30)
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise AblationError(
                    f"the store {self.file} has version {version}; this library reads version {_VERSION}"
                )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise AblationError(f"{self.file} cannot be used as a store: {error}") from None

    def get(self, key: str) -> Outcome | None:
        """The outcome under that key, or None if the trial has not been run."""
        row = self._connection.execute("SELECT outcome FROM outcomes WHERE key = ?", (key,)).fetchone()
        return Outcome.from_dict(json.loads(row[0])) if row else None

    def put(self, trial: Trial, data_checksum: str, outcome: Outcome) -> None:
        """Keep the outcome of a trial, in place of an earlier one."""
        row = (
            trial.key(data_checksum),
            json.dumps(trial.to_dict()),
            data_checksum,
            json.dumps(dataclasses.asdict(outcome)),
        )
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO outcomes (key, trial, data_checksum, outcome) VALUES (?, ?, ?, ?)", row
            )

    def __len__(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM outcomes").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()
