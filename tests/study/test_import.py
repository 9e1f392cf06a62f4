"""Imports: every field of a row is checked, and a row that was changed or contradicts itself is refused."""

import csv
import json
import sys

import pytest

from ablation import AblationError
from ablation.study.export_file import read_export, write_export
from tests.study.samples import KEYS, outcome, planned_store


@pytest.fixture
def rows(tmp_path):
    """The rows of an export with a completed and a diverged trial, as text."""
    with planned_store(tmp_path / "a.sqlite") as store:
        store.put(KEYS[0], outcome())
        store.put(KEYS[1], outcome(None, "diverged", reason="too large a learning rate"))
        write_export(store, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open() as opened:
        return list(csv.DictReader(opened))


def read(rows, tmp_path, encoding="utf-8"):
    """Write rows as a CSV file and read it as an export."""
    with (tmp_path / "changed.csv").open("w", encoding=encoding, newline="") as opened:
        writer = csv.DictWriter(opened, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return read_export(tmp_path / "changed.csv")


def edited(row, **changes):
    """Return a row whose outcome was edited consistently, as in a file of an earlier version, which has no checksum."""
    result = json.loads(row["outcome"]) | changes
    columns = {name: "" if value is None else str(value) for name, value in changes.items() if name in row}
    return {**row, **columns, "outcome": json.dumps(result), "checksum": ""}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accuracy": 99.99}, "is not that of a whole number of the 3000 test images"),
        ({"accuracy": 1e300}, r"accuracy 1e\+300 is not possible"),
        ({"accuracy": float("nan")}, "accuracy nan is not possible"),
        ({"accuracy": -10}, "accuracy -10 is not possible"),
        ({"accuracy": "90.0"}, "accuracy '90.0' is not possible"),
        ({"accuracy": None}, "accuracy None is not possible"),
        ({"accuracy": True}, "accuracy True is not possible"),
        ({"test_images": 0}, "is not that of a whole number of the 0 test images"),
        ({"test_images": 1.5}, "test_images 1.5 is not possible"),
        ({"test_loss": -1.0}, "test_loss -1.0 is not possible"),
        ({"status": "banana"}, "status 'banana' is not possible"),
        ({"status": "diverged"}, "train_losses do not fit the status 'diverged'"),
        ({"train_losses": [0.5, 0.4]}, "2 train_losses do not fit 1 epochs"),
        ({"train_losses": []}, "train_losses do not fit"),
        ({"train_losses": [float("nan")]}, "train_losses do not fit"),
        ({"train_losses": "0.5"}, "no valid train_losses"),
        ({"seconds": float("inf")}, "seconds inf is not possible"),
        ({"params": 2**70}, "params .* is not possible"),
        ({"environment": {"torch": {}}}, "environment .* is not possible"),
        ({"reason": 1}, "reason 1 is not possible"),
        ({"more": 1}, "fields are not those of an outcome"),
    ],
)
def test_an_impossible_outcome_is_refused(rows, tmp_path, changes, message):
    assert read([{**row, "checksum": ""} for row in rows], tmp_path)
    with pytest.raises(AblationError, match=f"row 1: .*{message}"):
        read([edited(rows[0], **changes), *rows[1:]], tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"accuracy": "91.0"}, "row 1: accuracy '91.0' contradicts the outcome, which has '90.0'"),
        ({"seed": "7"}, "row 1: seed '7' contradicts"),
        ({"torch": "3"}, "row 1: torch '3' contradicts"),
        ({"status": "banana"}, "row 1, was changed"),
        ({"attempts": "0"}, "row 1: attempts '0' is not possible"),
        ({"attempts": "9" * 80}, "row 1: attempts '9+' is not possible"),
        ({"finished": "yesterday"}, "row 1: finished 'yesterday' is not a time"),
        ({"outcome": "[" * 10_000}, "row 1: its trial or outcome cannot be read"),
        ({"trial": "[]"}, "row 1: its trial or outcome cannot be read"),
    ],
)
def test_a_changed_column_is_refused(rows, tmp_path, changes, message):
    with pytest.raises(AblationError, match=message):
        read([{**rows[0], **changes, "checksum": ""}, *rows[1:]], tmp_path)


def test_a_plausible_change_does_not_fit_the_checksum(rows, tmp_path):
    changed = edited(rows[0], accuracy=91.0)
    assert read([changed], tmp_path)[0]["outcome"].accuracy == 91.0
    with pytest.raises(AblationError, match="row 1, was changed: its checksum is another one"):
        read([{**changed, "checksum": rows[0]["checksum"]}], tmp_path)


def test_two_outcomes_of_one_trial_are_refused(rows, tmp_path):
    assert len(read([rows[0], rows[0]], tmp_path)) == 1
    with pytest.raises(AblationError, match="row 2: an earlier row has another outcome of the same trial"):
        read([rows[0], edited(rows[0], accuracy=91.0)], tmp_path)


def test_a_byte_order_mark_and_long_fields_are_read(rows, tmp_path):
    assert len(read(rows, tmp_path, encoding="utf-8-sig")) == 2
    limit = csv.field_size_limit()
    (first, second) = read([rows[0], edited(rows[1], reason="x" * 200_000)], tmp_path)
    assert first["key"] == KEYS[0] and len(second["outcome"].reason) == 200_000
    assert csv.field_size_limit() == limit < sys.maxsize


@pytest.mark.parametrize("text", ["key,label\n\x00", "a" * 200_000, '"', "\ufeff"])
def test_files_of_another_kind_are_refused(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(AblationError, match=r"a\.csv"):
        read_export(tmp_path / "a.csv")


def test_a_row_with_too_few_fields_is_refused(rows, tmp_path):
    read(rows, tmp_path)
    text = (tmp_path / "changed.csv").read_text()
    (tmp_path / "changed.csv").write_text(text + "a,b\n")
    with pytest.raises(AblationError, match="row 6, does not have as many fields"):
        read_export(tmp_path / "changed.csv")
