"""A store of trials, epochs and outcomes in one SQLite file, by trial key; finished trials are never repeated.

Only the driver of a study writes. Readers neither wait nor block the writer (SQLite's write-ahead log).
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
_BUSY_SECONDS = 30  # how long a writer waits for another one; the driver lock allows only one
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
    """A trial that was started and has not ended.

    Args:
        label, seed, data: label, seed and data set of the trial.
        epoch: epochs completed.
        epochs: epochs in total.
        loss: mean training loss of the last epoch; None before the first one is completed.
    """

    label: str
    seed: int
    data: str
    epoch: int
    epochs: int
    loss: float | None


@dataclass(frozen=True)
class Summary:
    """The state of a store.

    Args:
        counts: number of trials by status: done, diverged, failed or missing (not run yet). Failed ones are retried too.
        not_learning: number of done or diverged trials that were still at chance level after the warm-up.
        running: trials that were started and have not ended.
        failed: label, seed, attempts and reason of each failed trial.
    """

    counts: dict[str, int]
    not_learning: int
    running: tuple[Running, ...]
    failed: tuple[tuple[str, int, int, str], ...]


class Store:
    """Trials and their outcomes in one file. Outcomes are written atomically.

    A store of ablation 0.1 is upgraded when it is opened, also if it is opened read-only.

    Args:
        file: file of the store; created if it does not exist.
        readonly: open for reading only. The file must exist.

    Raises:
        AblationError: if the file cannot be written or read, is not an SQLite file, or has an unsupported version.
    """

    def __init__(self, file: str | Path, readonly: bool = False) -> None:
        self.file = Path(file)
        if readonly:
            if not self.file.is_file():
                raise AblationError(
                    f"{self.file.parent} holds no study: expected a file {self.file.name} in it, "
                    "written by `ablation roadmap` or `ablation study`"
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
                        "Give another folder, or move this file away to start a new store"
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
        """Record the trials to run, so that a reader knows which are missing, and clear the marks of an earlier driver.

        Args:
            trials: trials by key.
            checksums: checksums of the data sets, by name.
            labels: labels of trials in tables; by default, the architecture.
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
        """Record that a trial was started."""
        with self._writing() as write:
            write.execute("UPDATE trials SET started = CURRENT_TIMESTAMP WHERE key = ?", (key,))

    def epoch(self, key: str, epoch: int, loss: float) -> None:
        """Record the mean training loss of an epoch, replacing an earlier record."""
        with self._writing() as write:
            write.execute("INSERT OR REPLACE INTO epochs (key, epoch, loss) VALUES (?, ?, ?)", (key, epoch, loss))

    def put(self, key: str, outcome: Outcome, attempts: int = 1) -> None:
        """Store the outcome of a planned trial, replacing an earlier one."""
        values = (outcome.status, outcome.accuracy, outcome.not_learning, attempts)
        with self._writing() as write:
            write.execute("UPDATE trials SET started = NULL WHERE key = ?", (key,))
            write.execute(
                "INSERT OR REPLACE INTO outcomes (key, status, accuracy, not_learning, attempts, outcome) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (key, *values, json.dumps(dataclasses.asdict(outcome))),
            )

    def outcomes(self) -> dict[str, Outcome]:
        """Return all outcomes, failed ones included, by the key of the trial."""
        with self._explain_errors():
            rows = self._connection.execute("SELECT key, outcome FROM outcomes").fetchall()
        return {key: Outcome.from_dict(json.loads(text)) for key, text in rows}

    def losses(self, key: str) -> list[float]:
        """Return the mean training loss of each completed epoch of a trial."""
        with self._explain_errors():
            rows = self._connection.execute("SELECT loss FROM epochs WHERE key = ? ORDER BY epoch", (key,)).fetchall()
        return [float("nan") if loss is None else loss for (loss,) in rows]  # SQLite stores NaN as NULL

    def summary(self) -> Summary:
        """Return the state of the store."""
        with self._explain_errors():
            execute = self._connection.execute
            counts = dict.fromkeys(("done", "diverged", "failed", "missing"), 0)
            counts |= dict(
                execute(
                    "SELECT coalesce(status, 'missing'), count(*) FROM trials LEFT JOIN outcomes USING (key) GROUP BY 1"
                ).fetchall()
            )
            (not_learning,) = execute("SELECT count(*) FROM outcomes WHERE not_learning").fetchone()
            running = execute(
                "SELECT label, json_extract(trial, '$.seed'), json_extract(trial, '$.data'), coalesce(max(epoch), 0), "
                "json_extract(trial, '$.recipe.epochs'), loss FROM trials LEFT JOIN epochs USING (key) "
                "WHERE started IS NOT NULL GROUP BY key ORDER BY started, key"
            ).fetchall()
            failed = execute(
                "SELECT label, json_extract(trial, '$.seed'), attempts, json_extract(outcome, '$.reason') "
                "FROM trials JOIN outcomes USING (key) WHERE status = 'failed' ORDER BY label, 2"
            ).fetchall()
        return Summary(counts, not_learning, tuple(Running(*row) for row in running), tuple(failed))

    def rows(self) -> list[dict[str, Any]]:
        """Return one row per trial, finished or not: its description, its outcome and the environment it ran in."""
        with self._explain_errors():
            found = self._connection.execute(
                "SELECT key, label, trial, data_checksum, attempts, finished, outcome FROM trials LEFT JOIN outcomes USING (key) "
                "ORDER BY trials.rowid"
            ).fetchall()
        rows = []
        for key, label, text, checksum, attempts, finished, outcome in found:
            trial = json.loads(text)
            row = {"key": key, "label": label, "recipe": trial["recipe"]["name"], "data": trial["data"]}
            row |= {"data_checksum": checksum, "seed": trial["seed"], "status": "missing"}
            result = json.loads(outcome) if outcome else {}
            environment = result.pop("environment", {})
            losses = result.pop("train_losses", ())
            row |= {**result, "epochs": len(losses), "train_loss": losses[-1] if losses else None}
            row |= {"attempts": attempts, "finished": finished, **environment, "trial": text, "outcome": outcome}
            rows.append(row)
        return rows

    def merge(self, rows: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
        """Store the outcomes read by `read_export` for trials that are missing or failed here.

        Returns:
            Number of outcomes that were added, and number that the store already had.
        """
        known = self.outcomes()
        new = [row for row in rows if (old := known.get(row["key"])) is None or old.status == "failed"]
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
        """Run a transaction, which is committed as a whole or rolled back."""
        with self._explain_errors(), self._connection:
            yield self._connection

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


def default_label(trial: Trial) -> str:
    """Return the label of a trial that was not given one."""
    return trial.architecture if isinstance(trial.architecture, str) else repr(trial.architecture)


def _connect(file: Path, readonly: bool) -> sqlite3.Connection:
    if not readonly:
        return sqlite3.connect(file, timeout=_BUSY_SECONDS)
    address = file.absolute().as_uri()
    connection = sqlite3.connect(f"{address}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
    try:
        connection.execute("PRAGMA user_version").fetchone()
        return connection
    except sqlite3.OperationalError:  # the index of the log cannot be created in a read-only folder
        connection.close()
        log = Path(f"{file}-wal")
        if log.exists() and log.stat().st_size:
            raise
        return sqlite3.connect(f"{address}?immutable=1", uri=True)
