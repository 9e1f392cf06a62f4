"""Every trial, epoch and outcome in one SQLite file, under the key of its trial: what was done is never done again.

The driver of a study writes; any number of readers look on and never wait, nor make anyone wait (SQLite's write-ahead log).
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..design.trial import Outcome, Trial
from ..errors import AblationError
from ..files import writable_folder
from .upgrade import NEW_VERSION, OLD_VERSION, upgrade

FILE = "study.sqlite"
_BUSY_SECONDS = 30  # a writer waits so long for another; the lock of a study lets in only one
_SCHEMA = f"""
BEGIN;
CREATE TABLE trials (
    key TEXT PRIMARY KEY, trial TEXT NOT NULL, data_checksum TEXT NOT NULL, label TEXT NOT NULL, started TEXT
);
CREATE TABLE epochs (
    key TEXT NOT NULL, epoch INTEGER NOT NULL, loss REAL, "when" TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (key, epoch)
) WITHOUT ROWID;
CREATE TABLE outcomes (
    key TEXT PRIMARY KEY, status TEXT NOT NULL, accuracy REAL, not_learning INTEGER NOT NULL, attempts INTEGER NOT NULL,
    finished TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, outcome TEXT NOT NULL
);
PRAGMA user_version = {NEW_VERSION};
COMMIT;
"""


@dataclass(frozen=True)
class Running:
    """A trial that was taken up and has not ended.

    Args:
        label, seed, data: of the trial.
        epoch: epochs that it has behind it.
        epochs: how many there will be.
        loss: mean training loss of the last of them; None before the first.
    """

    label: str
    seed: int
    data: str
    epoch: int
    epochs: int
    loss: float | None


@dataclass(frozen=True)
class Summary:
    """Where a store stands.

    Args:
        counts: trials by status: done, diverged, failed, missing (not run yet); a failed one is run again, too.
        not_learning: how many of those done or diverged were still at chance after the warm-up.
        running: trials taken up and not ended.
        failed: label, seed, attempts and reason of each that failed.
    """

    counts: dict[str, int]
    not_learning: int
    running: tuple[Running, ...]
    failed: tuple[tuple[str, int, int, str], ...]


class Store:
    """Trials and what came of them, in one file. Each outcome is there whole or not at all.

    Args:
        file: of the store; made if there is none.
        readonly: look only. The file must be there.

    Raises:
        AblationError: if the file cannot be written or read, is no SQLite file, or was written by another version.
    """

    def __init__(self, file: str | Path, readonly: bool = False) -> None:
        self.file = Path(file)
        if readonly:
            if not self.file.is_file():
                raise AblationError(
                    f"{self.file.parent} holds no study: expected a file {self.file.name} in it, "
                    "as `ablation roadmap` and `ablation study` write"
                )
        else:
            writable_folder(self.file.parent)
        fresh = not self.file.exists()
        try:
            with self._explain_errors():
                self._connection = _connect(self.file, readonly)
                version = self._connection.execute("PRAGMA user_version").fetchone()[0]
                if version == OLD_VERSION:
                    self._connection.close()
                    upgrade(self.file)
                    self._connection = _connect(self.file, readonly)
                    version = NEW_VERSION
                empty = not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                if version != NEW_VERSION and not (version == 0 and empty and not readonly):
                    raise AblationError(
                        f"the store {self.file} has version {version}; this library reads version {NEW_VERSION}. "
                        "Give another folder, or move this file away to start anew"
                    )
                if version != NEW_VERSION:
                    self._connection.execute("PRAGMA journal_mode=WAL")
                    self._connection.executescript(_SCHEMA)
        except BaseException:
            if hasattr(self, "_connection"):
                self._connection.close()
            if fresh and not readonly:
                for suffix in ("", "-wal", "-shm", "-journal"):
                    Path(f"{self.file}{suffix}").unlink(missing_ok=True)
            raise

    def plan(self, trials: Mapping[str, Trial], checksums: Mapping[str, str], labels: Mapping[Trial, str]) -> None:
        """Note what is to be run, so that a reader knows what is missing; what a driver that is gone took up is not running.

        Args:
            trials: by key.
            checksums: of the data sets, by name.
            labels: what tables call a trial; by default its architecture.
        """
        rows = [
            (key, json.dumps(trial.to_dict()), checksums[trial.data], labels.get(trial) or default_label(trial))
            for key, trial in trials.items()
        ]
        with self._writing() as write:
            write.execute("UPDATE trials SET started = NULL")
            write.executemany(
                "INSERT INTO trials (key, trial, data_checksum, label) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (key) DO UPDATE SET trial = excluded.trial, label = excluded.label",
                rows,
            )

    def start(self, key: str) -> None:
        """Note that a trial was taken up."""
        with self._writing() as write:
            write.execute("UPDATE trials SET started = CURRENT_TIMESTAMP WHERE key = ?", (key,))

    def epoch(self, key: str, epoch: int, loss: float) -> None:
        """Note the mean training loss of an epoch, in place of an earlier note."""
        with self._writing() as write:
            write.execute("INSERT OR REPLACE INTO epochs (key, epoch, loss) VALUES (?, ?, ?)", (key, epoch, loss))

    def put(self, key: str, outcome: Outcome, attempts: int = 1) -> None:
        """Keep the outcome of a planned trial, in place of an earlier one."""
        about = (outcome.status, outcome.accuracy, outcome.not_learning, attempts)
        with self._writing() as write:
            write.execute("UPDATE trials SET started = NULL WHERE key = ?", (key,))
            write.execute(
                "INSERT OR REPLACE INTO outcomes (key, status, accuracy, not_learning, attempts, outcome) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (key, *about, json.dumps(dataclasses.asdict(outcome))),
            )

    def outcomes(self) -> dict[str, Outcome]:
        """Every outcome by the key of its trial, failed ones too."""
        with self._explain_errors():
            rows = self._connection.execute("SELECT key, outcome FROM outcomes").fetchall()
        return {key: Outcome.from_dict(json.loads(text)) for key, text in rows}

    def losses(self, key: str) -> list[float]:
        """The mean training loss of each epoch of a trial so far."""
        with self._explain_errors():
            rows = self._connection.execute("SELECT loss FROM epochs WHERE key = ? ORDER BY epoch", (key,)).fetchall()
        return [float("nan") if loss is None else loss for (loss,) in rows]  # SQLite keeps a NaN as NULL

    def summary(self) -> Summary:
        """Where the store stands."""
        with self._explain_errors():
            ask = self._connection.execute
            counts = dict.fromkeys(("done", "diverged", "failed", "missing"), 0)
            counts |= dict(
                ask(
                    "SELECT coalesce(status, 'missing'), count(*) FROM trials LEFT JOIN outcomes USING (key) GROUP BY 1"
                ).fetchall()
            )
            (not_learning,) = ask("SELECT count(*) FROM outcomes WHERE not_learning").fetchone()
            running = ask(
                "SELECT label, json_extract(trial, '$.seed'), json_extract(trial, '$.data'), coalesce(max(epoch), 0), "
                "json_extract(trial, '$.recipe.epochs'), loss FROM trials LEFT JOIN epochs USING (key) "
                "WHERE started IS NOT NULL GROUP BY key ORDER BY started, key"
            ).fetchall()
            failed = ask(
                "SELECT label, json_extract(trial, '$.seed'), attempts, json_extract(outcome, '$.reason') "
                "FROM trials JOIN outcomes USING (key) WHERE status = 'failed' ORDER BY label, 2"
            ).fetchall()
        return Summary(counts, not_learning, tuple(Running(*row) for row in running), tuple(failed))

    def rows(self) -> list[dict[str, Any]]:
        """One row a trial, run or not: what it is, what came of it, and what it was measured on."""
        with self._explain_errors():
            found = self._connection.execute(
                "SELECT key, label, trial, data_checksum, attempts, finished, outcome FROM trials LEFT JOIN outcomes USING (key) "
                "ORDER BY trials.rowid"
            ).fetchall()
        rows = []
        for key, label, text, checksum, attempts, finished, outcome in found:
            about = json.loads(text)
            row = {"key": key, "label": label, "recipe": about["recipe"]["name"], "data": about["data"]}
            row |= {"data_checksum": checksum, "seed": about["seed"], "status": "missing"}
            came = json.loads(outcome) if outcome else {}
            environment = came.pop("environment", {})
            losses = came.pop("train_losses", ())
            row |= {**came, "epochs": len(losses), "train_loss": losses[-1] if losses else None}
            row |= {"attempts": attempts, "finished": finished, **environment, "trial": text, "outcome": outcome}
            rows.append(row)
        return rows

    def merge(self, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
        """Keep the outcomes that `read_export` read, of trials that have none here yet.

        Returns:
            How many were taken in, and how many were there before.
        """
        known = self.outcomes()
        new = [row for row in rows if (had := known.get(row["key"])) is None or had.status == "failed"]
        losses = [(row["key"], i, loss) for row in new for i, loss in enumerate(row["train_losses"], start=1)]
        with self._writing() as write:
            write.executemany(
                "INSERT INTO trials (key, trial, data_checksum, label) VALUES (:key, :trial, :data_checksum, :label) "
                "ON CONFLICT (key) DO NOTHING",
                new,
            )
            write.executemany(
                "INSERT OR REPLACE INTO outcomes (key, status, accuracy, not_learning, attempts, finished, outcome) "
                "VALUES (:key, :status, :accuracy, :not_learning, :attempts, :finished, :outcome)",
                new,
            )
            write.executemany("INSERT OR REPLACE INTO epochs (key, epoch, loss) VALUES (?, ?, ?)", losses)
        return len(new), len(rows) - len(new)

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

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: all of it is kept or nothing."""
        with self._explain_errors(), self._connection:
            yield self._connection

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        """What SQLite says, in words that say what to do."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code == sqlite3.SQLITE_FULL:
                advice = "the disk is full. What had ended is kept: free some space and give the same command again"
                raise AblationError(f"cannot write to the store {self.file}: {advice}") from None
            raise AblationError(f"{self.file} cannot be used as a store: {error}") from None


def default_label(trial: Trial) -> str:
    """What a table calls a trial that nobody named."""
    return trial.architecture if isinstance(trial.architecture, str) else repr(trial.architecture)


def _connect(file: Path, readonly: bool) -> sqlite3.Connection:
    if not readonly:
        return sqlite3.connect(file, timeout=_BUSY_SECONDS)
    address = file.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA user_version").fetchone()
        return connection
    except sqlite3.OperationalError:  # in a folder that cannot be written there is no room for the log's index
        connection.close()
        log = Path(f"{file}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return sqlite3.connect(f"{address}?immutable=1", uri=True)
