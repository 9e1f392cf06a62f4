"""Processes that train together do what one does alone: the same steps, each test image once, one checkpoint, one result."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablation import AblationError, run
from ablation.commands.train import train_one
from ablation.data.named import load
from ablation.design.recipe import make_plan
from ablation.design.recipes import FAMILIES, MODERN
from ablation.train import run as training
from ablation.train.checkpoint import Checkpoints
from tests.train import together
from tests.train.together import FOR_THREE, TRIAL

STEPS = 45  # in an epoch
FIRST = 20  # steps in which rounding has not grown yet


def torchrun(processes, *arguments):
    """The program `together`: its exit status and what it said."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    command += ["-m", "tests.train.together", *map(str, arguments)]
    place = {"cwd": Path(__file__).parents[2], "env": os.environ | {"OMP_NUM_THREADS": "1"}}
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, **place)
    return done.returncode, done.stderr


def difference(found, expected):
    """The largest relative one."""
    return max(abs(a - b) / abs(b) for a, b in zip(found, expected, strict=True))


def steps_in(folder, rank):
    """Number and loss of each step that a process took."""
    return [json.loads(line) for line in (folder / f"steps-{rank}").read_text().splitlines()]


def checkpoint_in(folder, trial):
    return Checkpoints(folder / "checkpoints" / trial.key(load("digits").checksum)).load()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process lost, by step and by epoch."""
    return together.losses_of(TRIAL, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """A data set in memory and one that is streamed."""
    return ["digits", together.make_images(tmp_path_factory.mktemp("images"))]


@pytest.fixture(scope="module")
def two(tmp_path_factory, names):
    """What two processes left behind that did everything, and were stopped after step 50 of a trial."""
    folder = tmp_path_factory.mktemp("two")
    code, said = torchrun(2, folder, "--learns", "--scores", *names, "--stops", "process 1", 50)
    assert code != 0 and (folder / "steps-1").exists(), said
    return folder


@pytest.fixture(scope="module")
def three(tmp_path_factory, names):
    """What three processes left behind when torchrun was stopped."""
    folder = tmp_path_factory.mktemp("three")
    code, said = torchrun(3, folder, "--scores", *names, "--stops", "torchrun", 5)
    assert code != 0 and (folder / "steps-2").exists(), said
    return folder


@pytest.fixture(scope="module")
def by_two(two):
    """What two processes lost, by the way they trained."""
    one, other = (json.loads((two / f"losses-{rank}.json").read_text()) for rank in (0, 1))
    assert one == other, "each says the mean over both"
    return one


def test_the_trial_is_one_that_learns(alone):
    steps, epochs = alone
    assert len(steps) == 3 * STEPS and epochs[2] < epochs[1] < epochs[0]
    assert epochs[2] < 0.7 * epochs[0]


@pytest.mark.parametrize(("way", "number"), [("whole", 3), ("in two parts", 1)])
def test_two_processes_take_the_steps_that_one_takes(alone, by_two, way, number):
    (steps, epochs), (their_steps, their_epochs) = alone, by_two[way]
    assert len(their_steps) == number * STEPS
    assert difference(their_steps[:FIRST], steps[:FIRST]) < 1e-5
    assert difference(their_epochs, epochs[:number]) < 1e-2


@pytest.mark.parametrize("way", ["the same images", "summed gradients"])
def test_the_comparison_finds_a_wrong_share(alone, by_two, way):
    (steps, _), (their_steps, _) = alone, by_two[way]
    assert difference(their_steps[:FIRST], steps[:FIRST]) > 1e-3


@pytest.mark.parametrize("processes", ["two", "three"])
def test_each_test_image_counts_once_for_any_number_of_processes(request, names, processes):
    folder = request.getfixturevalue(processes)
    alone = [together.score(name) for name in names]
    assert [images for *_, images in alone] == [355, 137], "neither 2 nor 3 divides them"
    for file in sorted(folder.glob("scores-*.json")):
        for (accuracy, loss, images), found in zip(alone, json.loads(file.read_text()), strict=True):
            assert found == [accuracy, pytest.approx(loss, rel=1e-9), images], file.name
    assert len(list(folder.glob("scores-*.json"))) == {"two": 2, "three": 3}[processes]


def stopped_after(last, folder, trial, processes):
    """Every process took the steps up to that one and no more, and they are kept in a checkpoint."""
    for rank in range(processes):
        assert [step for step, _ in steps_in(folder, rank)] == list(range(last + 1))
    progress = checkpoint_in(folder, trial).progress
    steps = load("digits").steps_per_epoch(trial.recipe)
    assert progress.epoch * steps + progress.step == last + 1
    assert not list(folder.glob("*.safetensors"))


def test_torchrun_stopped_stops_every_process(three):
    stopped_after(5, three, FOR_THREE, 3)


def test_one_process_stopped_stops_both_and_they_go_on_to_the_same_end(two, by_two):
    stopped_after(50, two, TRIAL, 2)
    code, said = torchrun(2, two, "--stops", "nobody", 0)
    assert code == 0, said
    steps, epochs = by_two["whole"]
    for rank in (0, 1):
        taken = steps_in(two, rank)
        assert [step for step, _ in taken] == list(range(3 * STEPS)), "no step is taken twice"
        assert difference([loss for _, loss in taken], steps) < 1e-6
        assert difference(json.loads((two / f"epochs-{rank}.json").read_text()), epochs) < 1e-6
    weights = f"{TRIAL.key(load('digits').checksum)}.safetensors"
    assert [file.name for file in two.glob("*.safetensors")] == [weights]
    assert (two / "saved-by-0").read_text().splitlines() == [weights], "written once"
    assert not (two / "saved-by-1").exists(), "by the main process"
    assert checkpoint_in(two, TRIAL) is None


def test_a_plan_says_what_a_recipe_comes_to():
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
def test_the_first_process_says_the_plan_before_it_trains(tmp_path, monkeypatch, capsys, rank):
    def trains(*given):
        raise AblationError("as far as this")

    monkeypatch.setattr(training, "run", trains)
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(AblationError, match="as far as this"):
        train_one(["gelu"], "resnet50", None, None, "digits", "micro", 0, "no", 2, tmp_path)
    plan = str(make_plan(FAMILIES["micro"].modern, 22, devices=4, accumulate=2))
    assert plan == (
        "effective batch 64 = 4 (devices) x 8 (images) x 2 (accumulated parts), learning rate 0.004, "
        "22 steps an epoch, 198 in all"
    )
    assert capsys.readouterr().out.count(plan) == (1 if rank == 0 else 0)
    with pytest.raises(AblationError, match="does not divide into 4 processes times 3"):
        train_one(["gelu"], "resnet50", None, None, "digits", "micro", 0, "no", 3, tmp_path)
