"""Steps recorded as one CUDA graph, on a GPU: the losses of eager steps, for any network of the suite, also after a kill."""

import dataclasses
import math
import os
import signal
import statistics
import subprocess
import sys
import time

import pytest

from ablation import RESNET50, Trial, run
from ablation import data as datasets
from ablation.train.checkpoint import Checkpoints
from ablation.train.loop import Training
from ablation.train.run import seeded
from ablation.train.stop import StopSignal
from tests.laws import random_subset
from tests.train.small import TRIAL
from tests.train.test_device_steps import CASES, make_training, take_epoch

pytestmark = pytest.mark.gpu
SMALL = RESNET50.replace(width=8, stem_stride=1, depths=(1, 1, 2, 1))


@pytest.mark.parametrize("name", CASES)
def test_the_losses_are_those_of_the_reference(name):
    recipe, accumulate = CASES[name]
    recipe = recipe.replace(drop_path=0.0)  # on a GPU, the reference draws it for other shapes in another order
    losses = {}
    for on_device in (False, True):
        with seeded(3):
            training = make_training(recipe, accumulate, on_device)
            losses[on_device] = take_epoch(training)[:20]
    assert training.taken.kind == "captured"
    assert losses[True] == pytest.approx(losses[False], rel=1e-3)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_precision_is_captured(precision):
    training = make_training(CASES["all"][0], precision=precision)
    losses = take_epoch(training) + take_epoch(training, epoch=1)
    assert training.taken.kind == "captured" and losses[-1] < losses[0]


@pytest.mark.parametrize("seed", range(20))
def test_any_subset_of_the_steps_is_captured(seed):
    trial = Trial(SMALL.apply(*random_subset(seed)).replace(stem_stride=1), CASES["adamw"][0])
    training = make_training(trial.recipe, architecture=trial.architecture)
    losses = take_epoch(training)
    assert training.taken.kind == "captured" and all(map(math.isfinite, losses)) and min(losses) < losses[0]


def test_the_accuracy_is_that_of_the_reference_within_noise(tmp_path, monkeypatch):
    accuracies = {}
    for kind in ("captured", "eager"):
        with monkeypatch.context() as patched:
            if kind == "eager":
                patched.setattr("ablation.train.loop.place_images", lambda *arguments: None)
            trials = [
                dataclasses.replace(TRIAL, recipe=CASES["adamw"][0].replace(epochs=9), seed=seed) for seed in range(3)
            ]
            accuracies[kind] = [run(trial, tmp_path / kind).accuracy for trial in trials]
    spread = max(statistics.stdev(values) for values in accuracies.values())
    difference = statistics.mean(accuracies["captured"]) - statistics.mean(accuracies["eager"])
    assert abs(difference) < max(1.0, 3 * spread)


def test_a_killed_trial_resumes(tmp_path):
    recipe = CASES["all"][0].replace(epochs=6)
    trial = dataclasses.replace(TRIAL, recipe=recipe)
    whole = run(trial, tmp_path / "whole")
    program = f"""
from tests.train.test_captured import TRIAL, dataclasses, CASES, run
recipe = CASES["all"][0].replace(epochs=6)
run(dataclasses.replace(TRIAL, recipe=recipe), {str(tmp_path / "killed")!r}, checkpoint_seconds=0)
"""
    checkpoints = Checkpoints(tmp_path / "killed" / "checkpoints" / trial.key(datasets.load(trial.data).checksum))
    process = subprocess.Popen([sys.executable, "-c", program])
    deadline = time.monotonic() + 120
    while len(list(checkpoints.folder.glob("[0-9]*"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert checkpoints.load() is not None, "it was killed too early or too late"
    resumed = run(trial, tmp_path / "killed")
    assert resumed.train_losses == pytest.approx(whole.train_losses, rel=1e-3)


def test_a_step_that_reads_from_the_device_is_taken_uncaptured_and_says_why(tmp_path, monkeypatch):
    training = make_training(CASES["adamw"][0])
    take = training.taken._take_step

    def reading_step():
        take()
        training.taken._losses.sum().item()

    monkeypatch.setattr(training.taken._take, "_step", reading_step)
    losses = take_epoch(training)
    assert training.taken.kind.startswith("not captured: ") and losses[-1] < losses[0]
    assert isinstance(training, Training)
    completed = make_training(CASES["adamw"][0]).run_to_end(Checkpoints(tmp_path), math.inf, StopSignal(), None)
    assert len(completed.losses) == 2
