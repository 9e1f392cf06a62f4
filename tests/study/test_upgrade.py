"""Upgrades of stores and exports written by ablation 0.1, which used other keys and another folder for checkpoints."""

import csv
import dataclasses
import hashlib
import json
import sqlite3
from pathlib import Path

import pytest

from ablation import AblationError
from ablation.design import registry
from ablation.design.trial import Trial
from ablation.study.export_file import read_export
from ablation.study.lock import driver_lock
from ablation.study.schema import OLD_VERSION, VERSION
from ablation.study.store import Store
from ablation.study.upgrade import old_key, upgrade
from tests.study.samples import CHECKSUM, KEYS, TRIALS, outcome

OLD_TEXTS = [json.dumps(trial.to_dict()) for trial in TRIALS]
OLD_KEYS = [old_key(text, CHECKSUM) for text in OLD_TEXTS]
OUTCOMES = [
    outcome(81.5),
    outcome(None, "diverged", train_losses=(2.5, 3.5), reason="too large a learning rate"),
    outcome(None, "failed", reason="Traceback"),
]
OLD_TABLES = """
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
"""
EXPORT = Path(__file__).parents[2] / "figures" / "roadmap-cifar10-10k-trials.csv"


def write_old_store(file, rows, outcomes, version=OLD_VERSION):
    """Write a store as an earlier version did, by default ablation 0.1.

    Args:
        file: `study.sqlite`.
        rows: (key, trial as JSON) of each trial.
        outcomes: outcomes by key; each has two epochs.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.executescript(f"{OLD_TABLES} PRAGMA user_version = {version};")
    for key, text in rows:
        connection.execute(
            "INSERT INTO trials (key, trial, data_checksum, label) VALUES (?, ?, ?, 'label')", (key, text, CHECKSUM)
        )
    for key, result in outcomes.items():
        connection.execute(
            "INSERT INTO outcomes (key, status, accuracy, not_learning, attempts, outcome) VALUES (?, ?, ?, 0, 1, ?)",
            (key, result.status, result.accuracy, json.dumps(dataclasses.asdict(result))),
        )
        connection.executemany(
            "INSERT INTO epochs (key, epoch, loss) VALUES (?, ?, ?)",
            [(key, epoch, loss) for epoch, loss in enumerate(result.train_losses, start=1)],
        )
    connection.commit()
    connection.close()


def write_old_files(folder):
    """Write weights of the first trial and a checkpoint of the fourth one where ablation 0.1 did."""
    checkpoint = folder / "weights" / "checkpoints" / OLD_KEYS[3] / "000001-000002"
    checkpoint.mkdir(parents=True)
    (checkpoint / "manifest.json").write_text("{}")
    (folder / "weights" / f"{OLD_KEYS[0]}.safetensors").write_bytes(b"weights")


@pytest.fixture
def old_store(tmp_path):
    """Write a store of ablation 0.1 with five trials, three outcomes, weights and a checkpoint; return its file."""
    file = tmp_path / "runs" / "study.sqlite"
    write_old_store(file, zip(OLD_KEYS, OLD_TEXTS, strict=True), dict(zip(OLD_KEYS, OUTCOMES, strict=False)))
    write_old_files(file.parent)
    return file


def content(file):
    """Return every row of every table, and the version."""
    connection = sqlite3.connect(file)
    try:
        tables = {
            name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in ("trials", "epochs", "outcomes")
        }
        return tables, connection.execute("PRAGMA user_version").fetchone()[0]
    finally:
        connection.close()


def files_below(folder):
    """Return the path of each file below a folder, except those of the database."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(str(path) for path in paths if not path.name.startswith("study.sqlite"))


def test_the_old_key_hashes_every_field():
    text = OLD_TEXTS[0]
    every_field = json.dumps({**json.loads(text), "data": CHECKSUM}, sort_keys=True)
    assert OLD_KEYS[0] == hashlib.sha256(every_field.encode()).hexdigest()[:20]
    assert len({*OLD_KEYS, *KEYS}) == 10


@pytest.mark.parametrize("readonly", [False, True], ids=["writable", "readonly"])
def test_an_old_store_opens_under_its_new_keys(old_store, readonly):
    with Store(old_store, readonly) as store:
        assert store.outcomes() == dict(zip(KEYS, OUTCOMES, strict=False))
        for key, result in zip(KEYS, OUTCOMES, strict=False):
            assert store.losses(key) == list(result.train_losses)
        assert [row["key"] for row in store.rows()] == KEYS
        assert store.summary().counts == {"done": 1, "diverged": 1, "failed": 1, "missing": 2}
    assert files_below(old_store.parent) == [
        f"checkpoints/{KEYS[3]}/000001-000002/manifest.json",
        f"weights/{KEYS[0]}.safetensors",
    ]
    weights = old_store.parent / "weights"
    assert (weights / f"{KEYS[0]}.safetensors").read_bytes() == b"weights" and not (weights / "checkpoints").exists()


def test_opening_an_upgraded_store_changes_nothing(old_store):
    Store(old_store).close()
    before = content(old_store), files_below(old_store.parent)
    assert before[0][1] == VERSION
    Store(old_store).close()
    Store(old_store, readonly=True).close()
    upgrade(old_store)
    assert (content(old_store), files_below(old_store.parent)) == before


def test_an_old_store_that_cannot_be_written_is_refused(small_disk, make_read_only):
    file = small_disk / "study.sqlite"
    write_old_store(file, zip(OLD_KEYS, OLD_TEXTS, strict=True), {})
    make_read_only(small_disk)
    with pytest.raises(AblationError, match=r"study\.sqlite was written by ablation 0\.1 and cannot be upgraded: "):
        Store(file, readonly=True)
    with pytest.raises(AblationError, match="cannot write to the folder"):
        Store(file)


def test_a_failed_upgrade_can_be_repeated(old_store):
    obstacle = old_store.parent / "checkpoints"
    obstacle.write_text("a file where a folder is needed")
    before = content(old_store)
    with pytest.raises(AblationError, match=r"was written by ablation 0\.1 and cannot be upgraded: "):
        Store(old_store)
    assert content(old_store) == before, "the database is unchanged"
    obstacle.unlink()
    with Store(old_store) as store:
        assert store.outcomes() == dict(zip(KEYS, OUTCOMES, strict=False))
    assert files_below(old_store.parent) == [
        f"checkpoints/{KEYS[3]}/000001-000002/manifest.json",
        f"weights/{KEYS[0]}.safetensors",
    ]


def test_an_old_store_in_use_by_another_process_is_not_upgraded(old_store, monkeypatch):
    before = content(old_store)
    monkeypatch.setattr("ablation.study.upgrade.driver_process", lambda folder: 12345)
    with pytest.raises(AblationError, match="process 12345 is running a study in it"):
        Store(old_store, readonly=True)
    assert content(old_store) == before
    monkeypatch.undo()
    with driver_lock(old_store.parent), Store(old_store) as store:  # the driver itself upgrades the store
        assert set(store.outcomes()) == set(KEYS[:3])


@pytest.mark.parametrize("with_outcome", [0, 1], ids=["first", "second"])
def test_trials_that_differ_only_in_the_type_of_a_number_become_one(tmp_path, with_outcome):
    file = tmp_path / "study.sqlite"
    texts = [OLD_TEXTS[0].replace('"drop_path": 0.0', f'"drop_path": {rate}') for rate in ("0", "0.0")]
    keys = [old_key(text, CHECKSUM) for text in texts]
    assert keys[0] != keys[1]
    write_old_store(file, zip(keys, texts, strict=True), {keys[with_outcome]: OUTCOMES[0]})
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / f"{keys[with_outcome]}.safetensors").write_bytes(b"weights")
    with Store(file) as store:
        (row,) = store.rows()
        assert row["key"] == KEYS[0]
        assert store.outcomes() == {KEYS[0]: OUTCOMES[0]} and store.losses(KEYS[0]) == [0.5]
    assert files_below(tmp_path) == [f"weights/{KEYS[0]}.safetensors"]


def test_of_two_trials_that_become_one_the_completed_one_is_kept(tmp_path):
    file = tmp_path / "study.sqlite"
    texts = [OLD_TEXTS[0].replace('"drop_path": 0.0', f'"drop_path": {rate}') for rate in ("0", "0.0")]
    keys = [old_key(text, CHECKSUM) for text in texts]
    failed, done = outcome(None, "failed", reason="Traceback"), OUTCOMES[0]
    write_old_store(file, zip(keys, texts, strict=True), {keys[0]: failed, keys[1]: done})
    with Store(file) as store:
        assert store.outcomes() == {KEYS[0]: done}


@pytest.mark.usefixtures("clean_registries")
def test_a_custom_layer_need_not_be_registered(tmp_path):
    file = tmp_path / "study.sqlite"
    text = OLD_TEXTS[0].replace('"activation": "gelu"', '"activation": "gelu_gate"')
    assert text != OLD_TEXTS[0]
    write_old_store(file, [(old_key(text, CHECKSUM), text)], {old_key(text, CHECKSUM): OUTCOMES[0]})
    with Store(file, readonly=True) as store:
        (key,) = store.outcomes()
    registry.register_activation("gelu_gate", lambda channels: None)
    assert key == Trial.from_dict(json.loads(text)).key(CHECKSUM)


def test_the_export_in_the_repository_is_read_under_new_keys():
    with EXPORT.open() as opened:
        written = [row for row in csv.DictReader(opened) if row["status"] in ("done", "diverged")]
    rows = read_export(EXPORT)
    assert len(rows) == len(written) > 0
    for row, old in zip(rows, written, strict=True):
        trial = Trial.from_dict(json.loads(row["trial"]))
        assert trial == Trial.from_dict(json.loads(old["trial"]))
        assert row["key"] == trial.key(row["data_checksum"]) and row["status"] == old["status"]
    assert len({row["key"] for row in rows}) == len(rows)


def test_an_export_of_ablation_0_1_is_merged_under_new_keys(tmp_path):
    rows = read_export(EXPORT)
    with Store(tmp_path / "study.sqlite") as store:
        assert store.merge(rows) == (len(rows), 0)
        assert set(store.outcomes()) == {row["key"] for row in rows}
        assert store.merge(rows) == (0, len(rows))
