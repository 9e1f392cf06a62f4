"""A trial that is interrupted or killed resumes and ends with bit-identical weights and the same outcome."""

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
from ablation.train.checkpoint import Checkpoints, CheckpointWarning
from ablation.train.eager_steps import EagerSteps
from ablation.train.run import weights_file
from tests.train.small import TRIAL

KEY = TRIAL.key(load("digits").checksum)


def summary(outcome):
    """Return the outcome without its times."""
    return {**dataclasses.asdict(outcome), "seconds": 0, "images_per_second": 0}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The outcome and the weights, as bytes, of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    outcome = run(TRIAL, folder)
    assert outcome.status == "done"
    assert not (folder / "checkpoints" / KEY).exists()
    return summary(outcome), weights_file(folder, KEY).read_bytes()


def assert_resumes_identically(folder, uninterrupted):
    outcome = run(TRIAL, folder, checkpoint_seconds=0)
    assert (summary(outcome), weights_file(folder, KEY).read_bytes()) == uninterrupted
    assert not (folder / "checkpoints" / KEY).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("step", [0, 7, 21, 43])
def test_a_signal_stops_training_after_the_current_step(tmp_path, monkeypatch, uninterrupted, number, step):
    taken, original = [], EagerSteps._take_step

    def step_with_signal(self, count, *batch):
        taken.append(count)
        if count == step:
            os.kill(os.getpid(), number)
        return original(self, count, *batch)

    handler = signal.getsignal(number)
    with monkeypatch.context() as patched:
        patched.setattr(EagerSteps, "_take_step", step_with_signal)
        with pytest.raises(KeyboardInterrupt):
            run(TRIAL, tmp_path)
    assert signal.getsignal(number) is handler
    assert taken == list(range(step + 1)), "the current step was the last"
    progress = Checkpoints(tmp_path / "checkpoints" / KEY).load().progress
    assert 22 * progress.epoch + progress.step == step + 1
    assert_resumes_identically(tmp_path, uninterrupted)


def test_a_trial_stopped_after_every_step_gives_the_same_result(tmp_path, monkeypatch, uninterrupted):
    original = EagerSteps.stop_requested
    monkeypatch.setattr(EagerSteps, "stop_requested", lambda self, stop: True)
    for _ in range(44):
        with pytest.raises(KeyboardInterrupt):
            run(TRIAL, tmp_path)
    monkeypatch.setattr(EagerSteps, "stop_requested", original)
    assert_resumes_identically(tmp_path, uninterrupted)


@pytest.mark.parametrize("damaged", [1, 2])
def test_damaged_checkpoints_are_reported_and_the_result_is_the_same(tmp_path, monkeypatch, uninterrupted, damaged):
    original = EagerSteps._take_step

    def step_with_signal(self, count, *batch):
        if count == 30:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(self, count, *batch)

    with monkeypatch.context() as patched:
        patched.setattr(EagerSteps, "_take_step", step_with_signal)
        with pytest.raises(KeyboardInterrupt):
            run(TRIAL, tmp_path, checkpoint_seconds=0)
    folders = sorted((tmp_path / "checkpoints" / KEY).iterdir())
    for folder in folders[-damaged:]:
        file = folder / "tensors.safetensors"
        file.write_bytes(file.read_bytes()[:-1])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert_resumes_identically(tmp_path, uninterrupted)
    messages = [str(warning.message) for warning in caught if warning.category is CheckpointWarning]
    assert sum("is damaged" in line for line in messages) == damaged
    assert any("starts over" in line for line in messages) == (damaged == 2)


def run_killed(folder, *arguments):
    """Return the digests printed by a separate process that kills and resumes runs."""
    command = [sys.executable, "-m", "tests.train.small", str(folder), *map(str, arguments)]
    root = Path(__file__).parents[2]
    result = subprocess.run(command, capture_output=True, text=True, cwd=root, timeout=400)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_a_trial_killed_at_random_times_resumes_identically(tmp_path):
    seed = random.randrange(2**32)  # reported on failure
    results = run_killed(tmp_path, "moments", 8, seed)
    assert len(results) == 9 and len(set(results)) == 1, f"seed {seed}: {results}"


def test_a_trial_killed_while_writing_a_checkpoint_resumes_identically(tmp_path):
    results = run_killed(tmp_path, "writes", 5)
    assert len(results) == 6 and len(set(results)) == 1, results
