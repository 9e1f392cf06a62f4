"""The tables of a store, their checksums, and how the file is opened."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from .file_systems import on_network

OLD_VERSION, UNCHECKED_VERSION, VERSION = 2, 3, 4  # of ablation 0.1; without checksums; now
_BUSY_SECONDS = 30  # how long a writer waits for another one
TABLES = f"""
BEGIN;
CREATE TABLE trials (
    key TEXT PRIMARY KEY, trial TEXT NOT NULL, data_checksum TEXT NOT NULL, label TEXT NOT NULL, started TEXT, checksum TEXT
);
CREATE TABLE epochs (
    key TEXT NOT NULL, epoch INTEGER NOT NULL, loss REAL, "when" TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (key, epoch)
) WITHOUT ROWID;
CREATE TABLE outcomes (
    key TEXT PRIMARY KEY, status TEXT NOT NULL, accuracy REAL, not_learning INTEGER NOT NULL, attempts INTEGER NOT NULL,
    finished TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, outcome TEXT NOT NULL, checksum TEXT
);
PRAGMA user_version = {VERSION};
COMMIT;
"""
# The columns that a row's checksum covers, in order.
CHECKED = {
    "trials": ("key", "trial", "data_checksum", "label"),
    "outcomes": ("key", "status", "accuracy", "not_learning", "attempts", "finished", "outcome"),
}


def row_checksum(*values: Any) -> str:
    """Return the checksum of a row's values."""
    return hashlib.sha256(json.dumps(values, default=repr).encode()).hexdigest()


def add_checksums(connection: sqlite3.Connection) -> None:
    """Give every row of a store of version 3 its checksum; part of the caller's transaction."""
    for table, columns in CHECKED.items():
        connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum TEXT")
        rows = connection.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()
        connection.executemany(
            f"UPDATE {table} SET checksum = ? WHERE key = ?", [(row_checksum(*row), row[0]) for row in rows]
        )


def choose_journal(connection: sqlite3.Connection, file: Path, shared: bool, fresh: bool) -> None:
    """Choose how SQLite protects transactions: by a write-ahead log, or by a rollback journal.

    The log lets readers and the writer work at the same time, but needs memory shared between them, which machines that
    mount one folder do not have (https://www.sqlite.org/wal.html).

    Args:
        connection: to the store.
        file: the store's file.
        shared: whether other machines may open it.
        fresh: whether the store is new; the journal of an existing one is changed only where its log is not safe.
    """
    if shared or on_network(file):
        connection.execute("PRAGMA journal_mode = DELETE")
    elif fresh:
        connection.execute("PRAGMA journal_mode = WAL")


def connect(file: Path, readonly: bool) -> sqlite3.Connection:
    """Open a store's file, also from a folder that cannot be written if `readonly`."""
    if not readonly:
        return _tolerant(sqlite3.connect(file, timeout=_BUSY_SECONDS))
    address = file.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA user_version").fetchone()
        return _tolerant(connection)
    except sqlite3.OperationalError:  # the index of the log cannot be created in a read-only folder
        connection.close()
        log = Path(f"{file}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return _tolerant(sqlite3.connect(f"{address}?immutable=1", uri=True))


def _tolerant(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Decode damaged text too: its checksum then fails for that row alone, and the others can be read."""
    connection.text_factory = lambda data: data.decode(errors="replace")
    return connection
