"""The loop: when checkpoints are written, evaluations in between, and what is reported."""

import math
import os
import signal
import threading
from types import SimpleNamespace

import pytest
import torch

from ablation import AblationError, Trial, load_weights, run
from ablation import data as datasets
from ablation.design.recipes import FAMILIES
from ablation.train import loop
from ablation.train.checkpoint import Checkpoints, Progress, State
from ablation.train.evaluation import evaluate
from ablation.train.loop import Training
from ablation.train.stop import StopSignal
from tests.train.small import NETWORK

SHORT = FAMILIES["micro"].modern.replace(epochs=3, batch_size=256)
TRIAL = Trial(NETWORK, SHORT)


def make_state(step):
    return State(Progress(0, step), {"weight": torch.full((3,), float(step))})


def test_a_checkpoint_is_written_beside_the_training(tmp_path, monkeypatch):
    checkpoints, may_write, begun = Checkpoints(tmp_path), threading.Event(), threading.Event()
    save = checkpoints.save

    def slow_save(state):
        begun.set()
        assert may_write.wait(60)
        save(state)

    monkeypatch.setattr(checkpoints, "save", slow_save)
    checkpoints.save_beside(make_state(1))
    assert begun.wait(60) and checkpoints.load() is None
    may_write.set()
    checkpoints.save_beside(make_state(2))  # waits for the first
    assert checkpoints.load() is not None
    checkpoints.finish()
    assert checkpoints.load().progress.step == 2 and checkpoints.write_seconds > 0


def test_a_checkpoint_that_cannot_be_written_is_told_once(tmp_path):
    (tmp_path / "file").touch()
    checkpoints = Checkpoints(tmp_path / "file" / "trial")
    checkpoints.save_beside(make_state(1))
    with pytest.raises(AblationError, match="cannot write a checkpoint"):
        checkpoints.finish()
    checkpoints.finish()


def test_weights_in_a_checkpoint_do_not_change_while_it_is_written(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(Checkpoints, "save_beside", lambda self, state: written.append(state))
    run(TRIAL, tmp_path, checkpoint_seconds=0)
    first, second = (state.tensors["network.head.fc.weight"] for state in written[:2])
    assert not torch.equal(first, second)
    moments = [state.optimizer["state"][0]["exp_avg"] for state in written[:2]]
    assert not torch.equal(*moments)


class EachTenSeconds:
    """Steps that take ten seconds each by a clock."""

    def __init__(self, clock):
        self.clock = clock

    def losses(self, epoch, first, stop):
        for _ in range(first, 5):
            self.clock.now += 10
            yield [1.0]

    def stop_requested(self, stop):
        return False


class Recorded:
    """Checkpoints that are not written."""

    write_seconds = 0.0

    def __init__(self, clock):
        self.clock, self.saved = clock, []

    def load(self):
        return None

    def save_beside(self, state):
        self.saved.append(self.clock.now)

    def finish(self):
        pass


@pytest.fixture
def timed(monkeypatch):
    """A training of two epochs of five steps by a clock, and the clock."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(loop.time, "perf_counter", lambda: clock.now)
    training = Training.__new__(Training)
    training.recipe, training.steps = SHORT.replace(epochs=2), 5
    training.data = SimpleNamespace(info=SimpleNamespace(num_classes=10))
    training.network, training.ema, training.workers = torch.nn.Linear(2, 2), None, None
    training.accelerator = SimpleNamespace(is_main_process=True, num_processes=1)
    training._rates = lambda number: 0.1
    training._state = lambda progress: progress
    training.taken = EachTenSeconds(clock)
    return training, clock


@pytest.mark.parametrize(
    ("every", "write_seconds", "expected"),
    [
        (30.0, 0.0, [30, 60, 90]),  # small networks: twice a minute
        (30.0, 2.0, [50, 100]),  # writing takes 2 s: every 200 s within an epoch, but at its end if 30 s have passed
        (60.0, 0.0, [60]),  # the second epoch ends 40 s later
        (math.inf, 0.0, []),
    ],
)
def test_when_checkpoints_are_written(timed, every, write_seconds, expected):
    training, clock = timed
    checkpoints = Recorded(clock)
    checkpoints.write_seconds = write_seconds
    training.run_to_end(checkpoints, every, StopSignal(), None)
    assert checkpoints.saved == expected


def test_evaluations_in_between_are_no_training_time(timed, monkeypatch):
    training, clock = timed

    def slow_evaluate(*arguments, **options):
        clock.now += 1000
        return 50.0, 1.0, 10

    monkeypatch.setattr(loop, "evaluate", slow_evaluate)
    moments = []
    completed = training.run_to_end(Recorded(clock), math.inf, StopSignal(), moments.append, validate_every=1)
    assert completed.seconds == 100 and clock.now == 2100
    assert {moment.images_per_second for moment in moments} == {SHORT.batch_size / 10}


def test_a_network_trained_in_bf16_is_evaluated_in_float32(tmp_path):
    outcome = run(TRIAL, tmp_path, precision="bf16", validate_every=1)
    (file,) = tmp_path.glob("weights/*.safetensors")
    accuracy, loss, _ = evaluate(load_weights(file), datasets.load("digits"), SHORT)
    assert loss == pytest.approx(outcome.test_loss, rel=1e-6)
    assert outcome.environment["validated"]["3"] == outcome.accuracy == accuracy


def test_the_network_is_evaluated_in_between_without_changing_the_training(tmp_path):
    moments = []
    expected = run(TRIAL, tmp_path / "plain")
    outcome = run(TRIAL, tmp_path / "validated", validate_every=1, on_progress=moments.append)
    assert outcome.train_losses == expected.train_losses and outcome.accuracy == expected.accuracy
    validated = outcome.environment["validated"]
    assert list(validated) == ["1", "2", "3"] and validated["3"] == outcome.accuracy
    assert "validated" not in expected.environment
    ends = [moment for moment in moments if moment.ends_epoch]
    assert [moment.accuracy for moment in ends] == list(validated.values())
    assert [moment.loss for moment in ends] == list(outcome.train_losses)
    assert [(m.epoch, m.step, m.steps, m.epochs) for m in moments][:6] == [
        *((1, i, 5, 3) for i in range(1, 6)),
        (2, 1, 5, 3),
    ]
    assert moments[0].learning_rate == 0 and all(moment.images_per_second > 0 for moment in moments)
    with pytest.raises(AblationError, match="validate_every -1"):
        run(TRIAL, tmp_path, validate_every=-1)


def test_evaluations_of_an_interrupted_trial_are_kept(tmp_path):
    def stop_in_second(moment):
        if (moment.epoch, moment.step) == (2, 2):
            os.kill(os.getpid(), signal.SIGUSR1)

    with pytest.raises(KeyboardInterrupt):
        run(TRIAL, tmp_path, validate_every=1, on_progress=stop_in_second)
    outcome = run(TRIAL, tmp_path, validate_every=3)
    assert list(outcome.environment["validated"]) == ["1", "3"]
