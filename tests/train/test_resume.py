"""A trial that is stopped, gently or not, goes on and ends in the same weights and the same outcome, bit for bit."""

import dataclasses
import os
import random
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from ablation import run
from ablation.data.named import load
from ablation.train import run as training
from ablation.train.checkpoint import Checkpoints, CheckpointWarning
from tests.train.small import TRIAL

KEY = TRIAL.key(load("digits").checksum)


def summary(outcome):
    """All of an outcome but for the times."""
    return {**dataclasses.asdict(outcome), "seconds": 0, "images_per_second": 0}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The outcome and the bytes of the weights of a run in one go."""
    folder = tmp_path_factory.mktemp("undisturbed")
    outcome = run(TRIAL, folder)
    assert outcome.status == "done"
    assert not (folder / "checkpoints" / KEY).exists()
    return summary(outcome), (folder / f"{KEY}.safetensors").read_bytes()


def ends_alike(folder, undisturbed):
    outcome = run(TRIAL, folder, checkpoint_seconds=0)
    assert (summary(outcome), (folder / f"{KEY}.safetensors").read_bytes()) == undisturbed
    assert not (folder / "checkpoints" / KEY).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", [0, 7, 21, 43])
def test_a_signal_ends_it_within_one_step(tmp_path, monkeypatch, undisturbed, number, step):
    taken, own = [], training.Training._step

    def steps(self, count, *batch):
        taken.append(count)
        if count == step:
            os.kill(os.getpid(), number)
        return own(self, count, *batch)

    before = signal.getsignal(number)
    with monkeypatch.context() as patched:
        patched.setattr(training.Training, "_step", steps)
        with pytest.raises(KeyboardInterrupt):
            run(TRIAL, tmp_path)
    assert signal.getsignal(number) is before
    assert taken == list(range(step + 1)), "the step under way was the last"
    progress = Checkpoints(tmp_path / "checkpoints" / KEY).load().progress
    assert 22 * progress.epoch + progress.step == step + 1
    ends_alike(tmp_path, undisturbed)


def test_a_stop_after_every_step(tmp_path, monkeypatch, undisturbed):
    own = training.Training._asked_anywhere
    monkeypatch.setattr(training.Training, "_asked_anywhere", lambda self, stop: True)
    for _ in range(44):
        with pytest.raises(KeyboardInterrupt):
            run(TRIAL, tmp_path)
    monkeypatch.setattr(training.Training, "_asked_anywhere", own)
    ends_alike(tmp_path, undisturbed)


@pytest.mark.parametrize("damaged", [1, 2])
def test_damaged_checkpoints_are_told_and_survived(tmp_path, monkeypatch, undisturbed, damaged):
    own = training.Training._step

    def steps(self, count, *batch):
        if count == 30:
            os.kill(os.getpid(), signal.SIGTERM)
        return own(self, count, *batch)

    with monkeypatch.context() as patched:
        patched.setattr(training.Training, "_step", steps)
        with pytest.raises(KeyboardInterrupt):
            run(TRIAL, tmp_path, checkpoint_seconds=0)
    places = sorted((tmp_path / "checkpoints" / KEY).iterdir())
    for place in places[-damaged:]:
        file = place / "tensors.safetensors"
        file.write_bytes(file.read_bytes()[:-1])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        ends_alike(tmp_path, undisturbed)
    said = [str(warning.message) for warning in told if warning.category is CheckpointWarning]
    assert sum("is damaged" in line for line in said) == damaged
    assert any("starts over" in line for line in said) == (damaged == 2)


def killed(folder, *arguments):
    """What a process of its own says about runs that it killed."""
    command = [sys.executable, "-m", "tests.train.small", str(folder), *map(str, arguments)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=400)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_killed_at_twenty_random_moments(tmp_path):
    seed = random.randrange(2**32)  # said if it fails
    results = killed(tmp_path, "moments", 20, seed)
    assert len(results) == 21 and len(set(results)) == 1, f"seed {seed}: {results}"


def test_killed_in_the_middle_of_writing_a_checkpoint(tmp_path):
    results = killed(tmp_path, "writes", 5)
    assert len(results) == 6 and len(set(results)) == 1, results
