"""Damaged stores: a changed byte is found, its trial is named and can be run again, and older stores get checksums."""

import random
import sqlite3
import warnings

import pytest

from ablation import AblationError
from ablation.study.schema import UNCHECKED_VERSION, VERSION
from ablation.study.store import Store, StoreWarning
from tests.study.samples import KEYS, outcome, planned_store
from tests.study.test_upgrade import OLD_TEXTS, write_old_store

OUTCOMES = {
    KEYS[0]: outcome(),
    KEYS[1]: outcome(None, "diverged", reason="too large a learning rate"),
    KEYS[2]: outcome(None, "failed", reason="Traceback"),
}


@pytest.fixture
def stored(tmp_path):
    """A closed store with three outcomes."""
    file = tmp_path / "study.sqlite"
    with planned_store(file) as store:
        for key, result in OUTCOMES.items():
            store.put(key, result)
    return file


def change(file, statement, *values):
    """Change a store behind the library's back."""
    with sqlite3.connect(file) as raw:
        assert raw.execute(statement, values).rowcount == 1
    raw.close()


def test_a_changed_bit_never_gives_another_outcome(stored, tmp_path):
    data, changed = stored.read_bytes(), tmp_path / "changed.sqlite"
    generator, found = random.Random(0), 0
    for _ in range(150):
        damaged = bytearray(data)
        damaged[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        changed.write_bytes(damaged)
        try:
            with warnings.catch_warnings(record=True) as caught, Store(changed, readonly=True) as store:
                warnings.simplefilter("always")
                outcomes, rows, summary = store.outcomes(), store.rows(), store.summary()
        except AblationError:
            found += 1
            continue
        assert outcomes.items() <= OUTCOMES.items()
        assert len(outcomes) == len(OUTCOMES) or caught
        assert all(row["status"] in ("missing", OUTCOMES.get(row["key"], outcome()).status) for row in rows)
        assert sum(summary.counts.values()) <= 5
        found += bool(caught)
    assert found > 20


@pytest.mark.parametrize(
    "change_to",
    [
        "accuracy = 99.9",
        "status = 'diverged'",
        "attempts = 2",
        "finished = '2020-01-01'",
        "outcome = replace(outcome, '90.0', '91.0')",
        "outcome = '[1, 2]'",
        "outcome = 'null'",
        "outcome = x'ff'",
    ],
)
def test_a_damaged_outcome_is_named_and_its_trial_can_be_run_again(stored, change_to):
    change(stored, f"UPDATE outcomes SET {change_to} WHERE key = ?", KEYS[0])
    with Store(stored) as store:
        with pytest.warns(StoreWarning, match=rf"outcome of the trial the first, seed 0 \({KEYS[0]}\) .* is damaged"):
            assert set(store.outcomes()) == {KEYS[1], KEYS[2]}
        with pytest.warns(StoreWarning):
            assert store.summary().counts == {"done": 0, "diverged": 1, "failed": 1, "missing": 3}
        with pytest.warns(StoreWarning):
            assert store.rows()[0]["status"] == "missing"
        store.put(KEYS[0], OUTCOMES[KEYS[0]])
        assert store.outcomes() == OUTCOMES


@pytest.mark.parametrize("text", ["[]", "null", '{"seed": 0}', '{"recipe": []}', "[" * 10_000])
def test_a_damaged_description_of_a_trial_is_named(stored, text):
    change(stored, "UPDATE trials SET trial = ? WHERE key = ?", text, KEYS[4])
    with Store(stored, readonly=True) as store, pytest.warns(StoreWarning, match=f"trial {KEYS[4]} in .* is damaged"):
        assert [row["key"] for row in store.rows()] == KEYS[:4]


def test_an_outcome_completes_the_losses(tmp_path):
    with planned_store(tmp_path / "study.sqlite") as store:
        store.epoch(KEYS[0], 1, 2.0)
        store.put(KEYS[0], outcome(train_losses=(2.0, 1.5, 1.0)))
        assert store.losses(KEYS[0]) == [2.0, 1.5, 1.0]


def test_a_store_without_checksums_is_read_and_gets_them_when_it_is_written(tmp_path):
    file = tmp_path / "study.sqlite"
    write_old_store(file, zip(KEYS, OLD_TEXTS, strict=True), OUTCOMES, UNCHECKED_VERSION)
    change(file, "DELETE FROM epochs WHERE key = ?", KEYS[0])  # not reported before a kill
    before = file.read_bytes()
    with Store(file, readonly=True) as store:
        assert store.outcomes() == OUTCOMES and len(store.rows()) == 5
    assert file.read_bytes() == before
    with Store(file) as store:
        assert store.outcomes() == OUTCOMES and store.losses(KEYS[0]) == [0.5]
        assert store._connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    change(file, "UPDATE outcomes SET accuracy = 95 WHERE key = ?", KEYS[0])
    with Store(file) as store, pytest.warns(StoreWarning):
        assert KEYS[0] not in store.outcomes()
