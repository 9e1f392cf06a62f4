"""The store: what it keeps and counts, and what it refuses."""

import csv
import dataclasses
import math
import os
import sqlite3
import time

import pytest

from ablation import AblationError
from ablation.files import writable_folder
from ablation.study.export_file import read_export, write_export
from ablation.study.rows import insert_outcome, insert_trials, trial_row
from ablation.study.store import Store
from tests.study.samples import CHECKSUM, KEYS, SHORT, TINY, TRIALS, outcome, planned_store


def test_a_later_outcome_replaces_an_earlier_one_and_readers_do_not_wait(tmp_path):
    with planned_store(tmp_path / "s.sqlite") as store:
        store.put(KEYS[0], outcome())
        store.put(KEYS[0], outcome(91.0))
        with store._writing() as write:
            write.execute("DELETE FROM outcomes")
            with Store(tmp_path / "s.sqlite", readonly=True) as reader:  # while a transaction is open
                assert reader.outcomes() == {KEYS[0]: outcome(91.0)}
                with pytest.raises(AblationError, match="readonly"):
                    reader.start(KEYS[0])
        assert len(store) == 0


def test_the_summary_counts_each_trial_once(tmp_path):
    with planned_store(tmp_path / "s.sqlite") as store:
        store.put(KEYS[0], outcome(not_learning=True))
        store.put(KEYS[1], outcome(None, "diverged", reason="too large a learning rate"))
        store.put(KEYS[2], outcome(None, "failed", reason="Traceback\nRuntimeError: no"), attempts=3)
        store.start(KEYS[3])
        store.epoch(KEYS[3], 1, 2.0)
        store.epoch(KEYS[3], 2, 1.5)
        summary = store.summary()
        assert summary.counts == {"done": 1, "diverged": 1, "failed": 1, "missing": 2} and summary.not_learning == 1
        (running,) = summary.running
        assert (running.seed, running.epoch, running.epochs, running.loss) == (3, 2, SHORT.epochs, 1.5)
        assert [row[1:] for row in summary.failed] == [(2, 3, "Traceback\nRuntimeError: no")]
        store.epoch(KEYS[3], 2, float("nan"))
        first, second = store.losses(KEYS[3])
        assert first == 2.0 and math.isnan(second)
        store.plan({}, {}, {})
        assert not store.summary().running, "a new driver clears the marks of an earlier one"


def test_export_has_one_row_per_trial(tmp_path):
    with planned_store(tmp_path / "s.sqlite") as store:
        store.put(KEYS[1], outcome())
        assert write_export(store, tmp_path / "s.csv") == 5
    with (tmp_path / "s.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert [row["status"] for row in rows] == ["missing", "done", *["missing"] * 3]
    assert rows[0]["label"] == "the first" and rows[1]["label"] == repr(TINY)
    done = rows[1]
    assert (done["seed"], done["recipe"], done["data_checksum"], done["accuracy"]) == (
        "1",
        SHORT.name,
        CHECKSUM,
        "90.0",
    )
    assert (done["torch"], done["not_learning"], done["epochs"]) == ("2", "False", "1")


def test_an_export_is_merged_into_another_store(tmp_path):
    exported = {
        KEYS[0]: outcome(81.1),
        KEYS[1]: outcome(1 / 3),
        KEYS[2]: outcome(None, "diverged"),
    }
    with planned_store(tmp_path / "a.sqlite") as store:
        for key, result in exported.items():
            store.put(key, result, attempts=2)
        store.put(KEYS[3], outcome(None, "failed", reason="no"))
        write_export(store, tmp_path / "a.csv")
        rows = {row["key"]: row for row in store.rows()}
    with planned_store(tmp_path / "b.sqlite", TRIALS[:1]) as store:
        store.put(KEYS[0], outcome(70.0))
        assert store.merge(read_export(tmp_path / "a.csv")) == (2, 1)
        assert store.outcomes() == {**exported, KEYS[0]: outcome(70.0)}, "an outcome that existed before is unchanged"
        assert store.losses(KEYS[2]) == [math.inf]
        merged = {row["key"]: row for row in store.rows()}
        assert merged[KEYS[1]] == rows[KEYS[1]] and merged[KEYS[2]] == rows[KEYS[2]]
        assert store.summary().counts == {"done": 2, "diverged": 1, "failed": 0, "missing": 0}
        assert store.merge(read_export(tmp_path / "a.csv")) == (0, 3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('""seed"": 1', '""seed"": 7'), "row 2, was changed"),
        (lambda text: text.replace(",diverged,", ",done,"), "row 3, was changed"),
        (lambda text: text.replace('""lr"":', '""rate"":'), "row 1: its trial or outcome cannot be read"),
        (lambda text: text.replace("data_checksum", "sum"), "no column 'data_checksum'"),
        (lambda text: "", "no column 'key'"),
    ],
)
def test_a_changed_export_is_refused(tmp_path, change, message):
    file = tmp_path / "a.csv"
    with planned_store(tmp_path / "a.sqlite") as store:
        for key in KEYS[:2]:
            store.put(key, outcome())
        store.put(KEYS[2], outcome(None, "diverged"))
        write_export(store, file)
    text = file.read_text()
    assert change(text) != text
    file.write_text(change(text))
    with pytest.raises(AblationError, match=message):
        read_export(file)
    with pytest.raises(AblationError, match="cannot read"):
        read_export(tmp_path / "nowhere.csv")


def test_other_versions_and_files_are_refused(tmp_path):
    file = tmp_path / "s.sqlite"
    planned_store(file).close()
    with sqlite3.connect(file) as raw:
        raw.execute("PRAGMA user_version = 1")
    raw.close()
    before = file.read_bytes()
    with pytest.raises(AblationError, match="has version 1; this library reads version 4"):
        Store(file)
    assert file.read_bytes() == before
    garbage = tmp_path / "text"
    garbage.write_text("text, not a database " * 100)
    for readonly in (False, True):
        with pytest.raises(AblationError, match="cannot be used as a store"):
            Store(garbage, readonly)
    assert garbage.read_text().startswith("text, not a database")
    with pytest.raises(AblationError, match="holds no study"):
        Store(tmp_path / "nowhere" / "s.sqlite", readonly=True)
    assert not (tmp_path / "nowhere").exists()


def test_stored_outcomes_survive_a_full_disk(small_disk):
    with planned_store(small_disk / "s.sqlite") as store:
        store.put(KEYS[0], outcome())
        with pytest.raises(AblationError, match="the disk is full"):
            for length in range(10_000, 1_000_000, 50_000):
                store.put(KEYS[1], outcome(None, "failed", reason="x" * length))
    (small_disk / "ballast").unlink(missing_ok=True)
    with Store(small_disk / "s.sqlite", readonly=True) as store:
        assert store.outcomes()[KEYS[0]] == outcome()


def test_a_full_disk_leaves_no_partial_store(small_disk):
    with (small_disk / "ballast").open("wb", buffering=0) as ballast, pytest.raises(OSError):
        while True:
            ballast.write(os.urandom(4096))
    with pytest.raises(AblationError, match=r"s\.sqlite|folder"):
        Store(small_disk / "s.sqlite")
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_store_in_a_read_only_folder_can_be_read(small_disk, make_read_only):
    with planned_store(small_disk / "s.sqlite") as store:
        store.put(KEYS[0], outcome())
    make_read_only(small_disk)
    with pytest.raises(AblationError, match="cannot write to the folder"):
        Store(small_disk / "s.sqlite")
    with pytest.raises(AblationError, match="cannot write to the folder"):
        writable_folder(small_disk)
    with Store(small_disk / "s.sqlite", readonly=True) as store:
        assert store.outcomes() == {KEYS[0]: outcome()}


def test_ten_thousand_trials_are_summarised_quickly(tmp_path):
    """Beside reading their rows with SQLite alone: 3 to 11 times, and 25 at most; a second on an idle machine."""
    keys = [f"{number:020}" for number in range(10_000)]
    with Store(tmp_path / "s.sqlite") as store:
        with store._writing() as write:
            row = trial_row("", TRIALS[0], CHECKSUM, "label")
            insert_trials(write, (dataclasses.replace(row, key=key) for key in keys))
            for key in keys:
                insert_outcome(write, key, outcome(), 1, "2026-01-01 00:00:00")
            rows = ((key, epoch) for key in keys for epoch in range(2, 10))
            write.executemany("INSERT INTO epochs (key, epoch, loss) VALUES (?, ?, 1)", rows)
        ratios = []
        for _ in range(3):
            moments = [time.process_time()]  # seconds of this process's core, independent of other load
            for table in ("trials", "outcomes", "epochs"):
                assert len(store._connection.execute(f"SELECT * FROM {table}").fetchall()) >= 10_000
            moments.append(time.process_time())
            assert store.summary().counts["done"] == 10_000
            moments.append(time.process_time())
            ratios.append((moments[2] - moments[1]) / (moments[1] - moments[0]))
        assert min(ratios) < 25
