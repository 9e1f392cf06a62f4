"""Where a store is: moved, deleted, copied alone, empty, on a network file system, or with a driver that has gone."""

import json
import os
import shutil
import sqlite3
import stat
from types import SimpleNamespace

import psutil
import pytest

from ablation import AblationError, Study
from ablation.study.engines import Event
from ablation.study.file_systems import on_network
from ablation.study.lock import describe_driver, driver_lock
from ablation.study.store import FILE, Store
from tests.study.samples import KEYS, TRIALS, outcome, planned_store


@pytest.mark.parametrize("shared", [False, True], ids=["log", "journal"])
@pytest.mark.parametrize("how", ["file deleted", "file moved", "folder deleted", "folder moved"])
def test_the_outcomes_of_a_store_that_is_moved_or_deleted_are_kept(tmp_path, how, shared):
    folder = tmp_path / "runs"
    with Store(folder / FILE, shared=shared) as store:
        store.plan(dict(zip(KEYS, TRIALS, strict=True)), {"digits": "sum"}, {})
        store.put(KEYS[0], outcome())
        {
            "file deleted": (folder / FILE).unlink,
            "file moved": lambda: (folder / FILE).rename(tmp_path / "elsewhere.sqlite"),
            "folder deleted": lambda: shutil.rmtree(folder),
            "folder moved": lambda: folder.rename(tmp_path / "elsewhere"),
        }[how]()
        with pytest.raises(
            AblationError, match=f"store {folder / FILE} was moved or deleted .* Its 1 outcomes are kept"
        ):
            store.put(KEYS[1], outcome(None, "diverged"))
        store.check_place()
    with Store(folder / FILE, readonly=True) as store:
        assert store.outcomes() == {KEYS[0]: outcome(), KEYS[1]: outcome(None, "diverged")}


def test_a_file_that_has_taken_the_name_of_a_moved_store_is_unchanged(tmp_path):
    with planned_store(tmp_path / FILE) as store:
        store.put(KEYS[0], outcome())
        (tmp_path / FILE).rename(tmp_path / "elsewhere.sqlite")
        (tmp_path / FILE).write_text("another")
        with pytest.raises(
            AblationError, match=f"kept in .*kept-{os.getpid()}-{FILE}; another file has taken its name"
        ):
            store.check_place()
    assert (tmp_path / FILE).read_text() == "another"
    with Store(tmp_path / f"kept-{os.getpid()}-{FILE}", readonly=True) as store:
        assert store.outcomes() == {KEYS[0]: outcome()}


def test_a_study_whose_folder_is_deleted_after_its_last_trial_says_so(tmp_path):
    def engine(trials, directory):
        yield Event(trials[0], "ended", outcome=outcome())
        shutil.rmtree(directory)

    study = Study(TRIALS[:1], tmp_path / "runs", engine=engine)
    with pytest.raises(AblationError, match="was moved or deleted"):
        study.run()
    assert study.outcomes() == {TRIALS[0]: outcome()}


def test_a_copy_of_the_file_alone_has_every_outcome(tmp_path):
    with planned_store(tmp_path / FILE) as store:
        store.put(KEYS[0], outcome())
        shutil.copy(tmp_path / FILE, tmp_path / "copy.sqlite")
        with Store(tmp_path / "copy.sqlite", readonly=True) as copy:
            assert copy.outcomes() == {KEYS[0]: outcome()} and len(copy.rows()) == len(KEYS)


def test_an_empty_file_is_no_store_to_read_and_a_new_one_to_write(tmp_path):
    (tmp_path / FILE).touch()
    with pytest.raises(AblationError, match=f"the store {tmp_path / FILE} is empty: no study was stored in it"):
        Store(tmp_path / FILE, readonly=True)
    planned_store(tmp_path / FILE).close()
    with Store(tmp_path / FILE, readonly=True) as store:
        assert len(store.rows()) == len(KEYS)


def journal(file):
    connection = sqlite3.connect(file)
    try:
        return connection.execute("PRAGMA journal_mode").fetchone()[0]
    finally:
        connection.close()


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs", "9P"])
def test_a_store_on_a_network_file_system_has_a_rollback_journal(tmp_path, monkeypatch, kind):
    planned_store(tmp_path / FILE).close()
    assert journal(tmp_path / FILE) == "wal" and not on_network(tmp_path)
    mounts = [SimpleNamespace(mountpoint="/", fstype="ext4", opts="rw")]
    mounts += [SimpleNamespace(mountpoint=str(tmp_path), fstype=kind, opts="rw")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    assert on_network(tmp_path / "new" / FILE) and not on_network(tmp_path.parent)
    with planned_store(tmp_path / FILE) as store:
        store.put(KEYS[0], outcome())
    assert journal(tmp_path / FILE) == "delete"


def test_a_store_that_other_machines_open_has_a_rollback_journal(tmp_path):
    Store(tmp_path / FILE, shared=True).close()
    Store(tmp_path / FILE).close()
    assert journal(tmp_path / FILE) == "delete"


@pytest.mark.parametrize(
    "content", ["[]", "null", "3", "{}", '{"process": "1"}', "[" * 10_000, "text", '{"process": true}']
)
def test_a_damaged_description_of_the_driver_is_reported(tmp_path, content):
    (tmp_path / "driver.json").write_text(content)
    with pytest.raises(AblationError, match=r"driver\.json is damaged: delete it"):
        describe_driver(tmp_path)
    with driver_lock(tmp_path):
        assert f"process {os.getpid()}" in describe_driver(tmp_path)
        (tmp_path / "driver.json").write_text(content)
        with pytest.raises(AblationError, match=r"another driver .*driver\.json is damaged"), driver_lock(tmp_path):
            pass


def test_a_number_that_another_process_has_now_is_no_driver(tmp_path):
    with driver_lock(tmp_path):
        holder = json.loads((tmp_path / "driver.json").read_text())
    for process, started, alive in (
        (holder["process"], holder["created"], True),
        (holder["process"], holder["created"] - 3600, False),
        (2**22 + 1, holder["created"], False),  # more than Linux gives
        (2**80, holder["created"], False),
        (-1, holder["created"], False),
    ):
        (tmp_path / "driver.json").write_text(json.dumps({**holder, "process": process, "created": started}))
        assert bool(describe_driver(tmp_path)) == alive


def test_a_store_and_its_lock_respect_the_umask(tmp_path):
    before = os.umask(0o077)
    try:
        with driver_lock(tmp_path), planned_store(tmp_path / FILE) as store:
            store.put(KEYS[0], outcome())
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert {"driver.lock", FILE} <= set(modes)
    assert {modes[name] for name in modes if name.startswith(("driver.lock", FILE))} == {0o600}
