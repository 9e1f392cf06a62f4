"""Exported trials: a CSV file with one row per trial, written from one store and merged into another."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from ..design.trial import Outcome, Trial
from ..errors import AblationError
from ..files import write_atomically
from .store import Store
from .upgrade import old_key

# Columns that are read.
_COLUMNS = ("key", "label", "trial", "data_checksum", "status", "attempts", "finished", "outcome")


def write_export(store: Store, file: str | Path) -> int:
    """Write every trial of a store as a row of a CSV file; an interrupted write leaves no partial file.

    Returns:
        The number of rows.
    """
    rows = store.rows()
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
        AblationError: if the file was not written by `write_export`, or a row's trial does not match its key.
    """
    try:
        reader = csv.DictReader(io.StringIO(Path(file).read_text(encoding="utf-8-sig")))
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AblationError(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from None
    if missing:
        raise AblationError(
            f"{file} has no column {missing[0]!r}: expected a file written by `ablation export`, with the columns "
            f"{', '.join(_COLUMNS)}"
        )
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(reader, start=1):
        if row["status"] in ("missing", "failed"):
            continue
        try:
            trial, outcome = Trial.from_dict(json.loads(row["trial"])), Outcome.from_dict(json.loads(row["outcome"]))
        except (ValueError, TypeError, KeyError) as error:
            raise AblationError(f"{file}, row {number}: its trial or outcome cannot be read ({error})") from None
        key = trial.key(row["data_checksum"])
        if row["key"] not in (key, old_key(row["trial"], row["data_checksum"])) or outcome.status != row["status"]:
            raise AblationError(f"{file}, row {number}, was changed: its key, trial, checksum and status do not match")
        current = {"key": key, "trial": json.dumps(trial.to_dict())}
        result = {name: getattr(outcome, name) for name in ("accuracy", "not_learning", "train_losses")}
        rows.append({**{name: row[name] for name in _COLUMNS}, **current, **result})
    return rows
