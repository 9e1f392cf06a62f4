"""Exported trials: a CSV file with one row per trial, written from one store and merged into another."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from ..design.trial import Trial
from ..errors import AblationError, shown
from ..files import write_atomically
from .checked import check_plausible, parse_outcome, parse_trial
from .rows import export_row
from .schema import row_checksum
from .store import Store
from .summary import OutcomeRow, TrialRow
from .upgrade import old_key

# Columns that are read; the others are compared with what these say.
_COLUMNS = ("key", "label", "trial", "data_checksum", "status", "attempts", "finished", "outcome")
_CHECKSUM = "checksum"  # of those columns; files of earlier versions have none
_TIME = "%Y-%m-%d %H:%M:%S"


def write_export(store: Store, file: str | Path) -> int:
    """Write every trial of a store as a row of a CSV file; an interrupted write leaves no partial file.

    Returns:
        The number of rows.
    """
    rows = [{**row, _CHECKSUM: _checksum({name: _text(value) for name, value in row.items()})} for row in store.rows()]
    longest = max(rows, key=len, default={})
    columns = list(dict.fromkeys([*longest, *(name for row in rows for name in row)]))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(file, text.getvalue())
    return len(rows)


def read_export(file: str | Path) -> list[dict[str, Any]]:
    """Read the finished trials of an exported file, for `Store.merge`, and check that each row is consistent.

    Files written by ablation 0.1 are read too: their trials are returned under their new keys.

    Raises:
        AblationError: if the file was not written by `write_export`, or a row was changed, contradicts itself or another
            row, or has an impossible value.
    """
    found: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(_read_rows(Path(file)), start=1):
        try:
            if row["status"] in ("missing", "failed"):
                continue
            checked = _check_row(row)
        except ValueError as error:  # an `AblationError`, of a trial that is not possible, is one
            raise AblationError(f"{file}, row {number}{error if str(error)[:1] == ',' else f': {error}'}") from None
        earlier = found.setdefault(checked["key"], checked)
        if earlier["outcome"] != checked["outcome"]:
            raise AblationError(f"{file}, row {number}: an earlier row has another outcome of the same trial")
    return list(found.values())


def _read_rows(file: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file; a byte order mark, which spreadsheets write, is no part of the first column."""
    try:
        with _long_fields():
            reader = csv.DictReader(io.StringIO(file.read_text(encoding="utf-8-sig"), newline=""), strict=True)
            names, rows = reader.fieldnames or (), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AblationError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from None
    for name in _COLUMNS:
        if name not in names:
            raise AblationError(
                f"{file} has no column {name!r}: expected a file written by `ablation export`, with the columns "
                f"{', '.join(_COLUMNS)}"
            )
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise AblationError(f"{file}, row {number}, does not have as many fields as there are columns")
        yield row


def _check_row(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a row of a finished trial as `Store.merge` needs it."""
    try:
        trial, outcome = Trial.from_dict(parse_trial(row["trial"])), parse_outcome(row["outcome"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ValueError(f"its trial or outcome cannot be read ({error})") from None
    key = trial.key(row["data_checksum"])
    if row["key"] not in (key, old_key(row["trial"], row["data_checksum"])) or outcome.status != row["status"]:
        raise ValueError(", was changed: its key, trial, checksum and status do not match")
    if row.get(_CHECKSUM, "") not in ("", _checksum(row)):
        raise ValueError(", was changed: its checksum is another one")
    attempts, finished = row["attempts"], row["finished"]
    if not (attempts.isascii() and attempts.isdecimal() and 1 <= len(attempts) <= 9 and int(attempts)):
        raise ValueError(f"attempts {shown(attempts)} is not possible")
    try:
        datetime.strptime(finished, _TIME)
    except ValueError:
        raise ValueError(f"finished {shown(finished)} is not a time like 2026-01-31 12:00:00") from None
    check_plausible(outcome, trial.recipe.epochs)
    stored = TrialRow(row["key"], row["trial"], row["data_checksum"], row["label"])
    expected = export_row(stored, OutcomeRow(outcome, int(attempts), finished, row["outcome"]))
    for name, value in expected.items():
        if name in row and row[name] != _text(value):
            raise ValueError(f"{name} {shown(row[name])} contradicts the outcome, which has {shown(_text(value))}")
    current = {"key": key, "trial": json.dumps(trial.to_dict()), "data_checksum": row["data_checksum"]}
    ended = {"status": outcome.status, "attempts": int(attempts), "finished": finished, "outcome": outcome}
    return {**current, "label": row["label"], **ended}


def _checksum(row: Mapping[str, str]) -> str:
    return row_checksum(*(row[name] for name in _COLUMNS))


def _text(value: Any) -> str:
    """Return a value as the csv module writes it."""
    return "" if value is None else str(value)


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let the csv module read fields of any length: 300 epochs of losses with a traceback exceed its default."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
