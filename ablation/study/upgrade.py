"""Upgrade stores of earlier versions: those of ablation 0.1 get new keys and all of them get checksums.

The keys of ablation 0.1 were hashes of every field, defaults included.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from ..design.architecture import Architecture
from ..design.recipe import Recipe
from ..design.trial import changed_fields, trial_key
from ..errors import AblationError
from .lock import driver_process
from .schema import OLD_VERSION, UNCHECKED_VERSION, VERSION, add_checksums, connect

_COMPLETED_FIRST = (
    "SELECT key, trial, data_checksum FROM trials LEFT JOIN outcomes USING (key) "
    "ORDER BY coalesce(status, 'missing') IN ('failed', 'missing'), trials.rowid"
)


def old_key(trial: str, data_checksum: str) -> str:
    """Return the key that ablation 0.1 gave to a trial.

    Args:
        trial: the trial's JSON exactly as ablation 0.1 wrote it.
        data_checksum: checksum of its data set.
    """
    content = json.dumps({**json.loads(trial), "data": data_checksum}, sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def upgrade(file: Path) -> None:
    """Bring a store to the present version.

    An upgrade that failed can be repeated: files are renamed before the database is committed, and a second attempt skips
    those already renamed.

    Args:
        file: `study.sqlite` of version 2 (ablation 0.1) or 3 (without checksums).

    Raises:
        AblationError: if another process runs a study in the store, or the store cannot be written.
    """
    process = driver_process(file.parent)
    if process not in (None, os.getpid()):
        raise AblationError(
            f"the store {file} was written by an earlier version, such as ablation 0.1, and process {process} is running a "
            "study in it: try again when that has ended"
        )
    origin = "an earlier version"
    try:
        with closing(connect(file, readonly=True)) as reader:
            (version,) = reader.execute("PRAGMA user_version").fetchone()
        origin = "ablation 0.1" if version == OLD_VERSION else origin
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (OLD_VERSION, UNCHECKED_VERSION):
                return  # another process has upgraded it in the meantime
            if version == OLD_VERSION:
                _renew_keys(connection, file.parent)
            _complete_losses(connection)
            add_checksums(connection)
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
        with suppress(OSError):  # it does not exist, or holds something else
            (file.parent / "weights" / "checkpoints").rmdir()
    except (sqlite3.Error, OSError, ValueError, TypeError, KeyError) as error:
        raise AblationError(f"the store {file} was written by {origin} and cannot be upgraded: {error}") from None


def _renew_keys(connection: sqlite3.Connection, folder: Path) -> None:
    """Give every trial of ablation 0.1 its new key, and rename its weights and checkpoints accordingly."""
    for key, trial, checksum in connection.execute(_COMPLETED_FIRST).fetchall():
        new = _new_key(json.loads(trial), checksum)
        _rename_files(folder, key, new)
        for table in ("trials", "epochs", "outcomes"):
            # Two old keys may become one (drop_path 0 and 0.0): the first row is kept.
            connection.execute(f"UPDATE OR IGNORE {table} SET key = ? WHERE key = ?", (new, key))
            connection.execute(f"DELETE FROM {table} WHERE key = ?", (key,))


def _complete_losses(connection: sqlite3.Connection) -> None:
    """Record the epochs that were not reported because a process was killed; outcomes have the losses of all epochs."""
    for key, text in connection.execute("SELECT key, outcome FROM outcomes").fetchall():
        losses = enumerate(json.loads(text)["train_losses"], start=1)
        connection.executemany(
            "INSERT OR IGNORE INTO epochs (key, epoch, loss) VALUES (?, ?, ?)", [(key, *pair) for pair in losses]
        )


def _new_key(trial: dict[str, Any], data_checksum: str) -> str:
    """Return the new key of a trial, whose custom layers need not be registered."""
    architecture = trial["architecture"]
    if not isinstance(architecture, str):
        architecture = changed_fields(architecture, Architecture)
    recipe = dataclasses.asdict(Recipe(**trial["recipe"]))  # 0 and 0.0 are one, which they were not in 0.1
    return trial_key(architecture, changed_fields(recipe, Recipe), trial["seed"], data_checksum)


def _rename_files(directory: Path, old: str, new: str) -> None:
    pairs = (
        (directory / "weights" / f"{old}.safetensors", directory / "weights" / f"{new}.safetensors"),
        (directory / "weights" / "checkpoints" / old, directory / "checkpoints" / new),
    )
    for source, target in pairs:
        if source.exists() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
