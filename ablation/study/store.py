"""A store of trials, epochs and outcomes in one SQLite file, by trial key; finished trials are never repeated.

The driver of a study writes, and `ablation train` when a trial has ended. On a local disk, readers neither wait nor block
the writer (SQLite's write-ahead log). Each row has a checksum, which is checked when it is read.
"""

from __future__ import annotations

import os
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ..design.trial import Outcome, Trial
from ..errors import AblationError
from ..files import writable_folder
from .rows import (
    export_row,
    insert_losses,
    insert_outcome,
    insert_trials,
    now,
    read_outcomes,
    read_trials,
    trial_row,
)
from .schema import CHECKED, OLD_VERSION, TABLES, UNCHECKED_VERSION, VERSION, choose_journal, connect
from .summary import OutcomeRow, Summary, TrialRow, summarise
from .upgrade import upgrade

FILE = "study.sqlite"


class StoreWarning(UserWarning):
    """Warning that a row of a store is damaged and is ignored."""


class Store:
    """Trials and their outcomes in one file. Outcomes are written atomically.

    A store of an earlier version is upgraded when it is opened for writing; one of ablation 0.1 also for reading. A damaged
    row is ignored with a `StoreWarning` that names its trial, which then counts as missing and can be run again.

    Args:
        file: file of the store; created if it does not exist.
        readonly: open for reading only. The file must exist.
        shared: whether other machines may open the file, as on a Ray cluster.

    Raises:
        AblationError: if the file cannot be written or read, is not an SQLite file, or has an unsupported version.
    """

    def __init__(self, file: str | Path, readonly: bool = False, shared: bool = False) -> None:
        self.file = Path(file)
        if readonly:
            if not self.file.is_file():
                raise AblationError(
                    f"{self.file.parent} holds no study yet: it has no file {self.file.name}. `ablation roadmap` or `ablation "
                    "study` trains one, and `ablation import` reads an exported one; --store names another folder"
                )
        else:
            writable_folder(self.file.parent)
        fresh = not self.file.exists()
        try:
            with self._explain_errors():
                self._open(readonly, shared)
        except BaseException:
            if hasattr(self, "_connection"):
                self._connection.close()
            if fresh and not readonly:
                for suffix in ("", "-wal", "-shm", "-journal"):
                    Path(f"{self.file}{suffix}").unlink(missing_ok=True)
            raise

    def plan(self, trials: Mapping[str, Trial], checksums: Mapping[str, str], labels: Mapping[Trial, str]) -> None:
        """Record the trials to run, so that a reader knows which are missing, and clear the marks of an earlier driver.

        Args:
            trials: trials by key.
            checksums: checksums of the data sets, by name.
            labels: labels of trials in tables; by default, the architecture.
        """
        rows = [trial_row(key, trial, checksums[trial.data], labels.get(trial)) for key, trial in trials.items()]
        with self._writing() as write:
            write.execute("UPDATE trials SET started = NULL")
            insert_trials(write, rows, replace=True)

    def start(self, key: str) -> None:
        """Record that a trial was started."""
        with self._writing() as write:
            write.execute("UPDATE trials SET started = CURRENT_TIMESTAMP WHERE key = ?", (key,))

    def epoch(self, key: str, epoch: int, loss: float) -> None:
        """Record the mean training loss of an epoch, replacing an earlier record."""
        with self._writing() as write:
            insert_losses(write, [(key, epoch, loss)])

    def put(self, key: str, outcome: Outcome, attempts: int = 1) -> None:
        """Store the outcome of a planned trial and the losses in it, replacing an earlier one."""
        with self._writing() as write:
            write.execute("UPDATE trials SET started = NULL WHERE key = ?", (key,))
            insert_outcome(write, key, outcome, attempts, now())
        self._empty_log()

    def record(self, key: str, trial: Trial, data_checksum: str, outcome: Outcome) -> None:
        """Store a trial that need not be planned, and its outcome."""
        with self._writing() as write:
            insert_trials(write, [trial_row(key, trial, data_checksum, None)])
            insert_outcome(write, key, outcome, 1, now())
        self._empty_log()

    def outcomes(self) -> dict[str, Outcome]:
        """Return all outcomes, failed ones included, by the key of the trial."""
        return {key: row.outcome for key, row in self._read()[1].items()}

    def losses(self, key: str) -> list[float]:
        """Return the mean training loss of each completed epoch of a trial."""
        with self._explain_errors():
            rows = self._connection.execute("SELECT loss FROM epochs WHERE key = ? ORDER BY epoch", (key,)).fetchall()
        return [float("nan") if loss is None else loss for (loss,) in rows]  # SQLite stores NaN as NULL

    def summary(self) -> Summary:
        """Return the state of the store."""
        return summarise(*self._read())

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per trial, finished or not: its description, its outcome and the environment it ran in."""
        trials, outcomes = self._read()
        return [export_row(row, outcomes.get(key)) for key, row in trials.items()]

    def merge(self, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
        """Store the outcomes read by `read_export` for trials that are missing or failed here.

        Returns:
            Number of outcomes that were added, and number that the store already had.
        """
        known = self.outcomes()
        new = [row for row in rows if (old := known.get(row["key"])) is None or old.status == "failed"]
        with self._writing() as write:
            insert_trials(write, [TrialRow(*(row[name] for name in CHECKED["trials"])) for row in new])
            for row in new:
                insert_outcome(write, row["key"], row["outcome"], row["attempts"], row["finished"])
        self._empty_log()
        return len(new), len(rows) - len(new)

    def check_place(self) -> None:
        """Check that the store still is where it was opened.

        Raises:
            AblationError: if it was moved or deleted; everything in it has then been written there again.
        """
        if _identity(self.file) != self._identity:
            raise self._write_again()

    def __len__(self) -> int:
        with self._explain_errors():
            return int(self._connection.execute("SELECT count(*) FROM outcomes").fetchone()[0])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def _open(self, readonly: bool, shared: bool) -> None:
        self._connection = connect(self.file, readonly)
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == OLD_VERSION or (version == UNCHECKED_VERSION and not readonly):
            self._connection.close()
            upgrade(self.file)
            self._connection = connect(self.file, readonly)
            version = VERSION
        new = version == 0 and not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if new and readonly:
            raise AblationError(f"the store {self.file} is empty: no study was stored in it")
        if version not in (UNCHECKED_VERSION, VERSION) and not new:
            raise AblationError(
                f"the store {self.file} has version {version}; this library reads version {VERSION}. "
                "Give another folder, or move this file away to start a new store"
            )
        if not readonly:
            choose_journal(self._connection, self.file, shared, new)
        if new:
            self._connection.executescript(TABLES)
            self._empty_log()
        self._checked = version != UNCHECKED_VERSION
        self._identity = _identity(self.file)

    def _read(self) -> tuple[dict[str, TrialRow], dict[str, OutcomeRow]]:
        """Return the undamaged rows by key, and warn of the others."""
        with self._explain_errors():
            trials, damaged_trials = read_trials(self._connection, self._checked)
            outcomes, damaged_outcomes = read_outcomes(self._connection, self._checked)
        for key in damaged_trials:
            warnings.warn(f"the trial {key} in {self.file} is damaged and is ignored", StoreWarning, stacklevel=3)
        for key in damaged_outcomes:
            name = f"{trials[key].title} ({key})" if key in trials else key
            warnings.warn(
                f"the outcome of the trial {name} in {self.file} is damaged and is ignored: the trial can be run again",
                StoreWarning,
                stacklevel=3,
            )
        return trials, outcomes

    def _empty_log(self) -> None:
        """Write what is in the log to the file itself, so that a copy of the file alone has every outcome."""
        with self._explain_errors():
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _write_again(self) -> AblationError:
        """Write the whole store under its name again, or beside a file that has taken its name; return what to raise."""
        was = f"the store {self.file} was moved or deleted while it was in use"
        target = self.file if not self.file.exists() else self.file.with_name(f"kept-{os.getpid()}-{FILE}")
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(temporary)) as copy:
                self._connection.backup(copy)
            self._connection.close()  # before the new file has the name: closing deletes the log of that name
            for suffix in ("-wal", "-shm", "-journal"):
                Path(f"{target}{suffix}").unlink(missing_ok=True)
            temporary.replace(target)
            self._connection, self._identity = connect(target, readonly=False), _identity(target)
        except (OSError, sqlite3.Error) as error:
            return AblationError(f"{was}, and cannot be written again: {error}")
        advice = "the same command continues with them" if target == self.file else "another file has taken its name"
        return AblationError(f"{was}. Its {len(self)} outcomes are kept in {target}; {advice}")

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction, which is committed as a whole or rolled back."""
        moved = self._write_again() if _identity(self.file) != self._identity else None
        with self._explain_errors(), self._connection:
            yield self._connection
        if moved:
            raise moved

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """Convert errors of SQLite to errors that say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code == sqlite3.SQLITE_FULL:
                advice = "the disk is full. Finished trials are kept: free some space and run the same command again"
                raise AblationError(f"cannot write to the store {self.file}: {advice}") from None
            raise AblationError(f"{self.file} cannot be used as a store: {error}") from None


def _identity(file: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of the same name; None if there is no file."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
