"""Whatever a field of a trial or outcome says: its row is imported or refused in one line, and a store stays readable."""

import copy
import csv
import dataclasses
import json
import math
import sqlite3
import warnings

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ablation import AblationError, Outcome
from ablation.study.checked import STATUSES
from ablation.study.export_file import read_export, write_export
from ablation.study.schema import CHECKED, row_checksum
from ablation.study.store import Store
from tests.study.samples import KEYS, TRIALS, outcome, planned_store

QUICK = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
DROPPED = "~dropped~"
RAW = {"~deep~": "[" * 5000 + "]" * 5000, "~digits~": "9" * 5000, "~overflow~": "1e999"}  # as `json.dumps` writes none
SIMPLE = st.one_of(
    st.sampled_from(
        [None, True, math.nan, -math.inf, 10**80, 2**63, 1e308, -1, 0, 0.5, 1, "", "a\nb", "\udcff", "\x00"]
    ),
    st.sampled_from([*RAW, DROPPED, *STATUSES]),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
)
VALUES = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=2)),
    max_leaves=6,
)
CELLS = ("key", "label", "trial", "data_checksum", "status", "attempts", "finished", "outcome")
FIELDS = [
    *[("outcome", field.name) for field in dataclasses.fields(Outcome)],
    ("outcome", "environment", "torch"),
    ("outcome", "more"),
    *[("trial", name) for name in ("architecture", "recipe", "data", "seed", "more")],
    *[("trial", "recipe", name) for name in ("name", "epochs", "betas", "more")],
    *[("trial", "architecture", name) for name in ("depths", "width", "norm", "more")],
]


def changed_json(text, path, value):
    """Return a JSON text in which one field has another value, or is not there."""
    result = copy.deepcopy(json.loads(text))
    inside = result
    for name in path[:-1]:
        inside = inside[name]
    inside[path[-1]] = value
    if value == DROPPED:
        del inside[path[-1]]
    text = json.dumps(result)
    for name, raw in RAW.items():
        text = text.replace(f'"{name}"', raw)
    return text


@pytest.fixture(scope="module")
def row(tmp_path_factory):
    """One exported row, without a checksum, which alone would refuse every change."""
    folder = tmp_path_factory.mktemp("export")
    with planned_store(folder / "a.sqlite", TRIALS[:1]) as store:
        store.put(KEYS[0], outcome())
        write_export(store, folder / "a.csv")
    with (folder / "a.csv").open() as opened:
        (only,) = csv.DictReader(opened)
    return {**only, "checksum": ""}


def imported_or_one_line(row, file):
    """Return the imported rows of a file with one row, or None if it was refused in one line."""
    with file.open("w", encoding="utf-8", errors="surrogatepass", newline="") as opened:
        writer = csv.DictWriter(opened, list(row))
        writer.writeheader()
        writer.writerow(row)
    try:
        return read_export(file)
    except AblationError as error:
        text = str(error)
        assert file.name in text and len(text.splitlines()) == 1 and len(text) < 1000 + len(str(file)), text
        return None


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
def test_any_field_of_an_exported_row_is_imported_or_refused_in_one_line(path, row, tmp_path):
    column, *inside = path

    @QUICK
    @given(VALUES)
    @example(DROPPED)
    @example("~deep~")
    @example(10**80)
    def check(value):
        text = changed_json(row[column], inside, value)
        cells = {name: row[name] for name in CELLS}  # without the columns that would contradict a changed one
        found = imported_or_one_line({**cells, column: text}, tmp_path / "a.csv")
        if found:
            (entry,) = found
            assert 0 <= entry["outcome"].accuracy <= 100 and entry["outcome"].status in STATUSES
            assert entry["key"] == KEYS[0] and json.loads(entry["trial"]) == json.loads(json.dumps(TRIALS[0].to_dict()))

    assert imported_or_one_line(row, tmp_path / "a.csv")
    check()


@pytest.mark.parametrize("column", [*CELLS, "seed", "accuracy"])
def test_any_cell_of_an_exported_row_is_imported_or_refused_in_one_line(column, row, tmp_path):
    @QUICK
    @given(st.one_of(st.text(max_size=20), VALUES.map(str), VALUES.map(json.dumps)))
    @example("\udcff")
    @example("9" * 5000)
    def check(cell):
        found = imported_or_one_line({**row, column: cell}, tmp_path / "a.csv")
        assert not found or found[0]["key"] == KEYS[0]

    check()


@pytest.mark.parametrize("path", FIELDS, ids=".".join)
def test_a_store_with_any_field_and_its_checksum_is_readable(path, tmp_path_factory):
    """A row that is well-formed but says what is not possible is set apart, or read; the others are there."""
    file = tmp_path_factory.mktemp("store") / "study.sqlite"
    with planned_store(file, TRIALS[:2]) as store:
        for key in KEYS[:2]:
            store.put(key, outcome())
    table = f"{path[0]}s"
    columns = CHECKED[table]
    raw = sqlite3.connect(file)
    before = raw.execute(f"SELECT {', '.join(columns)} FROM {table} WHERE key = ?", (KEYS[0],)).fetchone()

    @settings(QUICK, max_examples=5)
    @given(VALUES)
    @example(DROPPED)
    @example("~deep~")
    def check(value):
        values = list(before)
        index = columns.index(path[0])
        values[index] = changed_json(values[index], path[1:], value)
        with raw:
            raw.execute(
                f"UPDATE {table} SET {path[0]} = ?, checksum = ? WHERE key = ?",
                (values[index], row_checksum(*values), KEYS[0]),
            )
        with warnings.catch_warnings(), Store(file, readonly=True) as store:
            warnings.simplefilter("ignore")
            assert KEYS[1] in store.outcomes() and sum(store.summary().counts.values()) in (1, 2)
            assert KEYS[1] in [stored["key"] for stored in store.rows()]

    try:
        check()
    finally:
        raw.close()
