"""Rows of a store: written with their checksums, and read back with the damaged ones set apart."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from ..design.trial import Outcome, Trial
from .checked import parse_outcome, parse_trial
from .schema import CHECKED, row_checksum
from .summary import OutcomeRow, TrialRow

_KEEP = "DO NOTHING"
_REPLACE = "DO UPDATE SET trial = excluded.trial, label = excluded.label, checksum = excluded.checksum"


def default_label(trial: Trial) -> str:
    """Return the label of a trial that was not given one."""
    return trial.architecture if isinstance(trial.architecture, str) else repr(trial.architecture)


def now() -> str:
    """Return the time in the form of SQLite's CURRENT_TIMESTAMP."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")


def trial_row(key: str, trial: Trial, data_checksum: str, label: str | None) -> TrialRow:
    """Return the row of a trial; without a label it is labelled by its architecture."""
    return TrialRow(key, json.dumps(trial.to_dict()), data_checksum, label or default_label(trial))


def insert_trials(write: sqlite3.Connection, rows: Iterable[TrialRow], replace: bool = False) -> None:
    """Insert rows of trials, keeping the existing ones or replacing what a study may rename in them."""
    values = [(row.key, row.trial, row.data_checksum, row.label) for row in rows]
    write.executemany(
        "INSERT INTO trials (key, trial, data_checksum, label, checksum) VALUES (?, ?, ?, ?, ?) "
        f"ON CONFLICT (key) {_REPLACE if replace else _KEEP}",
        [(*row, row_checksum(*row)) for row in values],
    )


def insert_losses(write: sqlite3.Connection, rows: Iterable[tuple[str, int, float]]) -> None:
    """Insert key, epoch and loss, or replace the loss."""
    write.executemany(
        "INSERT INTO epochs (key, epoch, loss) VALUES (?, ?, ?) "
        "ON CONFLICT (key, epoch) DO UPDATE SET loss = excluded.loss WHERE loss IS NOT excluded.loss",
        rows,
    )


def insert_outcome(write: sqlite3.Connection, key: str, outcome: Outcome, attempts: int, finished: str) -> None:
    """Insert or replace an outcome, and record its losses: not every epoch was reported if a process was killed."""
    accuracy = None if outcome.accuracy is None else float(outcome.accuracy)
    text = json.dumps(dataclasses.asdict(outcome))
    row = (key, outcome.status, accuracy, int(outcome.not_learning), attempts, finished, text)
    write.execute(
        "INSERT OR REPLACE INTO outcomes (key, status, accuracy, not_learning, attempts, finished, outcome, checksum) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (*row, row_checksum(*row)),
    )
    insert_losses(write, [(key, epoch, loss) for epoch, loss in enumerate(outcome.train_losses, start=1)])


def read_trials(connection: sqlite3.Connection, checked: bool) -> tuple[dict[str, TrialRow], list[str]]:
    """Return the trials of a store, and the keys of damaged ones.

    Args:
        connection: to the store.
        checked: whether its rows have checksums.
    """
    progress = {
        key: (epoch, loss)
        for key, epoch, loss in connection.execute(
            "SELECT key, max(epoch), loss FROM epochs WHERE key IN (SELECT key FROM trials WHERE started IS NOT NULL) "
            "GROUP BY key"
        )
    }
    rows, damaged = {}, []
    for values, started in _select(connection, "trials", "started", checked):
        try:
            parse_trial(values[1])
            key, trial, data_checksum, label = values
            rows[key] = TrialRow(key, trial, data_checksum, label, started, *progress.get(key, (0, None)))
        except (ValueError, TypeError):
            damaged.append(str(values[0]))
    return rows, damaged


def read_outcomes(connection: sqlite3.Connection, checked: bool) -> tuple[dict[str, OutcomeRow], list[str]]:
    """Return the outcomes of a store by key, and the keys of damaged ones; arguments as for `read_trials`."""
    rows, damaged = {}, []
    for (key, status, accuracy, not_learning, attempts, finished, text), _ in _select(
        connection, "outcomes", "NULL", checked
    ):
        try:
            outcome = parse_outcome(text)
            if (status, accuracy, not_learning) != (outcome.status, outcome.accuracy, outcome.not_learning):
                raise ValueError
            rows[key] = OutcomeRow(outcome, int(attempts), str(finished), text)
        except (ValueError, TypeError):
            damaged.append(str(key))
    return rows, damaged


def export_row(row: TrialRow, ended: OutcomeRow | None) -> dict[str, Any]:
    """Return a trial as a flat row: its description, its outcome and the environment it ran in."""
    trial = parse_trial(row.trial)
    flat = {"key": row.key, "label": row.label, "recipe": trial["recipe"]["name"], "data": trial["data"]}
    flat |= {"data_checksum": row.data_checksum, "seed": trial["seed"], "status": "missing"}
    result = json.loads(ended.text) if ended else {}
    environment = result.pop("environment", {})
    losses = result.pop("train_losses", ())
    flat |= {**result, "epochs": len(losses), "train_loss": losses[-1] if losses else None}
    flat |= {"attempts": ended and ended.attempts, "finished": ended and ended.finished, **environment}
    return flat | {"trial": row.trial, "outcome": ended and ended.text}


def _select(connection: sqlite3.Connection, table: str, extra: str, checked: bool) -> list[tuple[tuple[Any, ...], Any]]:
    """Return the checked columns of each row and an extra one; of a damaged row, its text is replaced by None."""
    columns = CHECKED[table]
    names = ", ".join([*columns, extra, "checksum" if checked else "NULL"])
    found = []
    for *values, other, checksum in connection.execute(f"SELECT {names} FROM {table} ORDER BY rowid"):
        damaged = checked and row_checksum(*values) != checksum
        text = columns.index("trial" if table == "trials" else "outcome")
        found.append((tuple(None if damaged and i == text else value for i, value in enumerate(values)), other))
    return found
