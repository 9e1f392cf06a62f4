"""Checkpoints: whole or not at all, the one before where the newest is damaged, and no room for surprises on a full disk."""

import json
import subprocess
import warnings

import pytest
import torch

from ablation import AblationError
from ablation.train import checkpoint
from ablation.train.checkpoint import Checkpoints, CheckpointWarning, Progress, State


def state(step, epoch=0, size=10):
    tensors = {"network.weight": torch.full((size,), float(step)), "network.count": torch.tensor(step)}
    optimizer = {
        "state": {0: {"step": torch.tensor(float(step)), "exp_avg": torch.ones(size) * step}},
        "param_groups": [],
    }
    return State(Progress(epoch, step, 0.1 + step, (2.5, 1 / 3), True, 1.25), tensors, optimizer)


def same(one, other):
    assert one.progress == other.progress
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())
    ours, theirs = one.optimizer["state"][0], other.optimizer["state"][0]
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    return True


@pytest.fixture
def kept(tmp_path):
    """Checkpoints of which steps 1 to 3 were saved."""
    checkpoints = Checkpoints(tmp_path / "trial")
    for step in (1, 2, 3):
        checkpoints.save(state(step))
    return checkpoints


def test_what_is_saved_is_loaded(kept):
    assert same(kept.load(), state(3))


def test_nothing_saved_is_nothing_loaded(tmp_path):
    assert Checkpoints(tmp_path / "never").load() is None
    assert not (tmp_path / "never").exists()


def test_two_are_kept_and_a_later_epoch_is_newer(kept):
    assert [path.name for path in sorted(kept.folder.iterdir())] == ["000000-00000002", "000000-00000003"]
    kept.save(state(1, epoch=1))
    assert same(kept.load(), state(1, epoch=1))


def test_the_same_moment_may_be_saved_again(kept):
    kept.save(state(3, size=20))
    assert same(kept.load(), state(3, size=20))


def test_the_end_takes_all_away(kept):
    kept.clear()
    assert not kept.folder.exists()


def damaged(file, how):
    data = file.read_bytes()
    if how == "truncated":
        file.write_bytes(data[: len(data) // 2])
    elif how == "empty":
        file.write_bytes(b"")
    elif how == "gone":
        file.unlink()
    else:
        middle = len(data) // 2
        file.write_bytes(data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty", "gone"])
@pytest.mark.parametrize("part", ["tensors.safetensors", "optimizer.pt", "progress.json", "manifest.json"])
def test_a_damaged_one_is_told_and_the_one_before_is_used(kept, part, how):
    damaged(kept.folder / "000000-00000003" / part, how)
    with pytest.warns(CheckpointWarning, match=r"000000-00000003 is damaged"):
        assert same(kept.load(), state(2))


def test_both_damaged_starts_over_and_says_so(kept):
    for place in kept.folder.iterdir():
        damaged(place / "tensors.safetensors", "flipped")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        assert kept.load() is None
    said = [str(warning.message) for warning in told]
    assert sum("is damaged (tensors.safetensors has another checksum)" in line for line in said) == 2
    assert "the trial starts over" in said[-1]


def test_one_of_another_version_is_passed_over(kept):
    manifest = kept.folder / "000000-00000003" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": 99}))
    with pytest.warns(CheckpointWarning, match="its version is 99"):
        assert same(kept.load(), state(2))


def test_an_optimizer_that_would_run_code_is_not_read(kept, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "was-here"), "w"))

    place = kept.folder / "000000-00000003"
    torch.save(Harmful(), place / "optimizer.pt")
    manifest = json.loads((place / "manifest.json").read_text())
    manifest["sha256"]["optimizer.pt"] = checkpoint.hashlib.sha256((place / "optimizer.pt").read_bytes()).hexdigest()
    (place / "manifest.json").write_text(json.dumps(manifest))
    with pytest.warns(CheckpointWarning, match="is damaged"):
        assert same(kept.load(), state(2))
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize("part", range(4))
def test_a_write_that_breaks_off_leaves_those_before(kept, monkeypatch, part):
    write, written = checkpoint._write, []

    def breaks(file, data):
        written.append(file)
        if len(written) > part:
            write(file, data[: len(data) // 2])
            raise OSError(28, "No space left on device")
        write(file, data)

    monkeypatch.setattr(checkpoint, "_write", breaks)
    with pytest.raises(AblationError, match=r"cannot write a checkpoint to .*000000-00000004: No space left"):
        kept.save(state(4))
    assert sorted(path.name for path in kept.folder.iterdir()) == ["000000-00000002", "000000-00000003"]
    assert same(kept.load(), state(3))


def test_what_a_killed_process_left_is_taken_away(kept):
    left = kept.folder / ".writing-1"
    left.mkdir()
    (left / "tensors.safetensors").write_bytes(b"half")
    assert same(kept.load(), state(3))
    kept.save(state(4))
    assert not left.exists()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of its own, half a megabyte small."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", place], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a file system cannot be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk(small_disk):
    checkpoints = Checkpoints(small_disk / "trial")
    checkpoints.save(state(1, size=20_000))
    with pytest.raises(AblationError, match="No space left on device"):
        checkpoints.save(state(2, size=60_000))
    assert [path.name for path in checkpoints.folder.iterdir()] == ["000000-00000001"]
    assert same(checkpoints.load(), state(1, size=20_000))


def test_a_disk_that_only_reads(small_disk):
    checkpoints = Checkpoints(small_disk / "trial")
    checkpoints.save(state(1))
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(AblationError, match="Read-only file system"):
        checkpoints.save(state(2))
    assert same(checkpoints.load(), state(1))
