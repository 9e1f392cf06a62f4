"""Distributed training gives the results of one process: the same steps, each test image once, one checkpoint, one result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablation import AblationError, run
from ablation.commands.train import TrainOptions, train
from ablation.data.named import load
from ablation.design.recipe import make_plan
from ablation.design.recipes import FAMILIES, MODERN
from ablation.train import run as training
from ablation.train.checkpoint import Checkpoints
from tests.train import together
from tests.train.together import FOR_THREE, TRIAL

STEPS = 45  # in an epoch
FIRST = 20  # steps before rounding errors have grown


def torchrun(processes, *arguments):
    """Run the program `together` and return its exit status and stderr."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    command += ["-m", "tests.train.together", *map(str, arguments)]
    options = {"cwd": Path(__file__).parents[2], "env": os.environ | {"OMP_NUM_THREADS": "1"}}
    result = subprocess.run(command, capture_output=True, text=True, timeout=600, **options)
    return result.returncode, result.stderr


def relative_difference(found, expected):
    """Return the largest relative difference."""
    return max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))


def read_steps(folder, rank):
    """Return [number, loss] of each step that a process took."""
    return [json.loads(line) for line in (folder / f"steps-{rank}").read_text().splitlines()]


def load_checkpoint(folder, trial):
    return Checkpoints(folder / "checkpoints" / trial.key(load("digits").checksum)).load()


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """The losses of one process, by step and by epoch."""
    return together.losses_of(TRIAL, tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The names of a data set in memory and a streamed data set."""
    return ["digits", together.make_images(tmp_path_factory.mktemp("images"))]


@pytest.fixture(scope="module")
def two(tmp_path_factory, names):
    """The folder of two processes that ran every part of the program and were stopped after step 50 of a trial."""
    folder = tmp_path_factory.mktemp("two")
    code, stderr = torchrun(2, folder, "--train", "--evaluate", *names, "--stop", "process 1", 50)
    assert code != 0 and (folder / "steps-1").exists(), stderr
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory, names):
    """The folder of three processes after torchrun was stopped."""
    folder = tmp_path_factory.mktemp("three")
    code, stderr = torchrun(3, folder, "--evaluate", *names, "--stop", "torchrun", 5)
    assert code != 0 and (folder / "steps-2").exists(), stderr
    return folder


@pytest.fixture(scope="module")
def two_losses(two):
    """The losses of two processes, by variant of training."""
    first, second = (json.loads((two / f"losses-{rank}.json").read_text()) for rank in (0, 1))
    assert first == second, "each process reports the mean over both"
    return first


def test_the_trial_reduces_the_loss(one):
    steps, epochs = one
    assert len(steps) == 3 * STEPS and epochs[2] < epochs[1] < epochs[0]
    assert epochs[2] < 0.7 * epochs[0]


@pytest.mark.parametrize(("variant", "number"), [("whole", 3), ("in two parts", 1)])
def test_two_processes_take_the_same_steps_as_one(one, two_losses, variant, number):
    (steps, epochs), (two_steps, two_epochs) = one, two_losses[variant]
    assert len(two_steps) == number * STEPS
    assert relative_difference(two_steps[:FIRST], steps[:FIRST]) < 1e-5
    assert relative_difference(two_epochs, epochs[:number]) < 1e-2


@pytest.mark.parametrize("variant", ["the same images", "summed gradients"])
def test_the_comparison_detects_wrong_variants(one, two_losses, variant):
    (steps, _), (two_steps, _) = one, two_losses[variant]
    assert relative_difference(two_steps[:FIRST], steps[:FIRST]) > 1e-3


def test_two_processes_evaluate_the_same_batch_norm_statistics(two):
    first, second = (json.loads((two / f"evaluated-{rank}.json").read_text()) for rank in (0, 1))
    assert first == second and len(set(first)) == 2, "without and with a weight average"


@pytest.mark.parametrize("processes", ["two", "three"])
def test_each_test_image_counts_once_for_any_number_of_processes(request, names, processes):
    folder = request.getfixturevalue(processes)
    expected = [together.evaluate_untrained(name) for name in names]
    assert [images for *_, images in expected] == [355, 137], "not divisible by 2 or 3"
    for file in sorted(folder.glob("scores-*.json")):
        for (accuracy, loss, images), found in zip(expected, json.loads(file.read_text()), strict=True):
            assert found == [accuracy, pytest.approx(loss, rel=1e-9), images], file.name
    assert len(list(folder.glob("scores-*.json"))) == {"two": 2, "three": 3}[processes]


def assert_stopped_after(last, folder, trial, processes):
    """Check that every process took all steps up to `last` and no more, and that the checkpoint contains them."""
    for rank in range(processes):
        assert [step for step, _ in read_steps(folder, rank)] == list(range(last + 1))
    progress = load_checkpoint(folder, trial).progress
    steps = load("digits").steps_per_epoch(trial.recipe)
    assert progress.epoch * steps + progress.step == last + 1
    assert not list((folder / "weights").glob("*.safetensors"))


def test_stopping_torchrun_stops_every_process(three):
    assert_stopped_after(5, three, FOR_THREE, 3)


def test_stopping_one_process_stops_both_and_they_resume_to_the_same_result(two, two_losses):
    assert_stopped_after(50, two, TRIAL, 2)
    code, stderr = torchrun(2, two, "--stop", "no process", 0)
    assert code == 0, stderr
    steps, epochs = two_losses["whole"]
    for rank in (0, 1):
        taken = read_steps(two, rank)
        assert [step for step, _ in taken] == list(range(3 * STEPS)), "no step is taken twice"
        assert relative_difference([loss for _, loss in taken], steps) < 1e-6
        assert relative_difference(json.loads((two / f"epochs-{rank}.json").read_text()), epochs) < 1e-6
    weights = f"{TRIAL.key(load('digits').checksum)}.safetensors"
    assert [file.name for file in (two / "weights").glob("*.safetensors")] == [weights]
    assert (two / "saved-by-0").read_text().splitlines() == [weights], "written once"
    assert not (two / "saved-by-1").exists(), "by the main process"
    assert load_checkpoint(two, TRIAL) is None


def test_a_plan_gives_the_batch_learning_rate_and_steps_of_a_recipe():
    plan = make_plan(MODERN, 312, devices=8, accumulate=4)
    assert (plan.images, plan.batch_size, plan.lr, plan.steps) == (128, 4096, 4e-3, 93_600)
    halved = make_plan(MODERN.replace(batch_size=2048), 625, devices=8)
    assert (halved.images, halved.batch_size, halved.lr) == (256, 2048, 2e-3)


@pytest.mark.parametrize(
    ("devices", "accumulate", "message"),
    [
        (3, 1, "batch_size 32 of recipe 'micro-original' does not divide into 3 processes times 1 accumulated parts"),
        (2, 32, "does not divide into 2 processes times 32"),
        (1, 3, "does not divide into 1 processes times 3"),
        (1, 0, "accumulate 0 must be 1 or more"),
        (1, -1, "accumulate -1 must be 1 or more"),
    ],
)
def test_an_impossible_plan_is_refused(tmp_path, devices, accumulate, message):
    with pytest.raises(AblationError, match=message):
        make_plan(TRIAL.recipe, STEPS, devices, accumulate)
    if devices == 1:
        with pytest.raises(AblationError, match=message):
            run(TRIAL, tmp_path, accumulate=accumulate)


@pytest.mark.parametrize("rank", [0, 1])
def test_the_first_process_prints_the_plan_before_training(tmp_path, monkeypatch, capsys, rank):
    def reach_training(*arguments, **options):
        raise AblationError("training reached")

    monkeypatch.setattr(training, "run", reach_training)
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(AblationError, match="training reached"):
        train(TrainOptions(steps=("gelu",), accumulate=2, store=tmp_path))
    plan = str(make_plan(FAMILIES["micro"].modern, 22, devices=4, accumulate=2))
    assert plan == (
        "effective batch 64 = 4 (devices) x 8 (images) x 2 (accumulated parts), learning rate 0.004, "
        "22 steps per epoch, 198 in total"
    )
    assert capsys.readouterr().out.count(plan) == (1 if rank == 0 else 0)
    with pytest.raises(AblationError, match="does not divide into 4 processes times 3"):
        train(TrainOptions(steps=("gelu",), accumulate=3, store=tmp_path))
