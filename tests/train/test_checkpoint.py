"""Checkpoints: atomic writes, fallback to the previous checkpoint, damage, and full or read-only disks."""

import json
import subprocess
import warnings

import pytest
import torch

from ablation import AblationError
from ablation.train import checkpoint
from ablation.train.checkpoint import Checkpoints, CheckpointWarning, Progress, State


def make_state(step, epoch=0, size=10):
    tensors = {"network.weight": torch.full((size,), float(step)), "network.count": torch.tensor(step)}
    optimizer = {
        "state": {0: {"step": torch.tensor(float(step)), "exp_avg": torch.ones(size) * step}},
        "param_groups": [],
    }
    return State(Progress(epoch, step, 0.1 + step, (2.5, 1 / 3), True, 1.25), tensors, optimizer)


def assert_same(state, expected):
    assert state.progress == expected.progress
    assert state.tensors.keys() == expected.tensors.keys()
    assert all(torch.equal(tensor, expected.tensors[name]) for name, tensor in state.tensors.items())
    optimizer, expected_optimizer = state.optimizer["state"][0], expected.optimizer["state"][0]
    assert all(torch.equal(tensor, expected_optimizer[name]) for name, tensor in optimizer.items())


@pytest.fixture
def saved(tmp_path):
    """Checkpoints to which steps 1 to 3 have been saved."""
    checkpoints = Checkpoints(tmp_path / "trial")
    for step in (1, 2, 3):
        checkpoints.save(make_state(step))
    return checkpoints


def test_a_saved_checkpoint_is_loaded(saved):
    assert_same(saved.load(), make_state(3))


def test_loading_without_a_checkpoint_returns_none(tmp_path):
    assert Checkpoints(tmp_path / "never").load() is None
    assert not (tmp_path / "never").exists()


def test_two_checkpoints_are_kept_and_later_epochs_are_newer(saved):
    assert [path.name for path in sorted(saved.folder.iterdir())] == ["000000-00000002", "000000-00000003"]
    saved.save(make_state(1, epoch=1))
    assert_same(saved.load(), make_state(1, epoch=1))


def test_the_same_step_can_be_saved_again(saved):
    saved.save(make_state(3, size=20))
    assert_same(saved.load(), make_state(3, size=20))


def test_clear_deletes_all_checkpoints(saved):
    saved.clear()
    assert not saved.folder.exists()


def damage(file, how):
    data = file.read_bytes()
    if how == "truncated":
        file.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "missing":
        file.unlink()
    else:
        middle = len(data) // 2
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty", "missing"])
@pytest.mark.parametrize("part", ["tensors.safetensors", "optimizer.pt", "progress.json", "manifest.json"])
def test_a_damaged_checkpoint_is_reported_and_the_previous_one_is_used(saved, part, how):
    damage(saved.folder / "000000-00000003" / part, how)
    with pytest.warns(CheckpointWarning, match=r"000000-00000003 is damaged"):
        assert_same(saved.load(), make_state(2))


def test_if_all_checkpoints_are_damaged_the_trial_starts_over_with_a_warning(saved):
    for folder in saved.folder.iterdir():
        damage(folder / "tensors.safetensors", "flipped")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert saved.load() is None
    messages = [str(warning.message) for warning in caught]
    assert sum("is damaged (tensors.safetensors has the wrong checksum)" in line for line in messages) == 2
    assert "the trial starts over" in messages[-1]


def test_a_checkpoint_of_another_version_is_skipped(saved):
    manifest = saved.folder / "000000-00000003" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": 99}))
    with pytest.warns(CheckpointWarning, match="version 99 is not 1"):
        assert_same(saved.load(), make_state(2))


def test_an_optimizer_file_that_would_run_code_is_not_loaded(saved, tmp_path):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "was-here"), "w"))

    folder = saved.folder / "000000-00000003"
    torch.save(Malicious(), folder / "optimizer.pt")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["optimizer.pt"] = checkpoint.hashlib.sha256((folder / "optimizer.pt").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.warns(CheckpointWarning, match="is damaged"):
        assert_same(saved.load(), make_state(2))
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize("part", range(4))
def test_a_failed_write_leaves_earlier_checkpoints_intact(saved, monkeypatch, part):
    write, written = checkpoint._write, []

    def fail(file, data):
        written.append(file)
        if len(written) > part:
            write(file, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        write(file, data)

    monkeypatch.setattr(checkpoint, "_write", fail)
    with pytest.raises(AblationError, match=r"cannot write a checkpoint to .*000000-00000004: No space left"):
        saved.save(make_state(4))
    assert sorted(path.name for path in saved.folder.iterdir()) == ["000000-00000002", "000000-00000003"]
    assert_same(saved.load(), make_state(3))


def test_leftovers_of_a_killed_process_are_deleted(saved):
    leftover = saved.folder / ".writing-1"
    leftover.mkdir()
    (leftover / "tensors.safetensors").write_bytes(b"half")
    assert_same(saved.load(), make_state(3))
    saved.save(make_state(4))
    assert not leftover.exists()


@pytest.fixture
def small_disk(tmp_path):
    """A separate file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    result = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], capture_output=True, text=True
    )
    if result.returncode:
        pytest.skip(f"a file system cannot be mounted here: {result.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_leaves_the_earlier_checkpoint(small_disk):
    checkpoints = Checkpoints(small_disk / "trial")
    checkpoints.save(make_state(1, size=20_000))
    with pytest.raises(AblationError, match="No space left on device"):
        checkpoints.save(make_state(2, size=60_000))
    assert [path.name for path in checkpoints.folder.iterdir()] == ["000000-00000001"]
    assert_same(checkpoints.load(), make_state(1, size=20_000))


def test_a_read_only_disk_leaves_the_earlier_checkpoint(small_disk):
    checkpoints = Checkpoints(small_disk / "trial")
    checkpoints.save(make_state(1))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(AblationError, match="Read-only file system"):
        checkpoints.save(make_state(2))
    assert_same(checkpoints.load(), make_state(1))
