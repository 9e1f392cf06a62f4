"""Steps on a device: the same losses as the reference, without reading anything in between. Run on the CPU, uncaptured."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from ablation import Trial, convnext
from ablation import data as datasets
from ablation.design.recipes import FAMILIES
from ablation.train.checkpoint import Checkpoints, Progress
from ablation.train.device_steps import READINGS, DeviceSteps
from ablation.train.evaluation import make_accelerator
from ablation.train.loop import Training
from ablation.train.run import make_network, seeded
from ablation.train.stop import StopSignal

TINY = convnext("atto").replace(width=4, stem_stride=1, depths=(1, 1, 1, 1), layer_scale=None)
ADAM = FAMILIES["micro"].modern.replace(epochs=2, warmup_epochs=0, shift_px=1)
SGD = FAMILIES["micro"].original.replace(epochs=1, shift_px=1)
CASES = {
    "adamw": (ADAM, 1),
    "sgd": (SGD, 1),
    "clipping": (ADAM.replace(clip_grad=0.5), 1),
    "average": (ADAM.replace(ema=0.9), 1),
    "accumulation": (ADAM, 4),
    "mixup": (ADAM.replace(mixup=0.8), 1),
    "cutmix": (ADAM.replace(cutmix=1.0), 1),
    "stochastic depth": (ADAM.replace(drop_path=0.3), 1),
    "all": (
        ADAM.replace(
            mixup=0.8, cutmix=1.0, random_erasing=0.3, hflip=0.5, clip_grad=1.0, ema=0.9, drop_path=0.2, warmup_epochs=1
        ),
        2,
    ),
}


def make_training(recipe, accumulate=1, on_device=True, precision="no", architecture=TINY):
    trial, data = Trial(architecture, recipe, "digits", seed=3), datasets.load("digits")
    accelerator = make_accelerator(precision)
    network = make_network(trial, data, accelerator.device)
    steps = data.steps_per_epoch(recipe)
    return Training(network, trial, data, steps, accelerator, accumulate, False, on_device=on_device)


def take_epoch(training, first=0, epoch=0):
    training.network.train()
    return [loss for losses in training.taken.losses(epoch, first, StopSignal()) for loss in losses]


@pytest.mark.parametrize(("recipe", "accumulate"), CASES.values(), ids=CASES)
def test_losses_and_weights_are_those_of_the_reference(recipe, accumulate):
    results = []
    for on_device in (False, True):
        with seeded(3):
            training = make_training(recipe, accumulate, on_device)
            assert isinstance(training.taken, DeviceSteps) == on_device
            results.append((take_epoch(training), training))
    (expected, reference), (losses, training) = results
    assert len(losses) == training.steps >= 20
    assert losses == pytest.approx(expected, rel=1e-6)
    for own, theirs in ((training.network, reference.network), (training.ema, reference.ema)):
        if own is not None:
            weights, others = own.state_dict(), theirs.state_dict()
            assert all(torch.allclose(weights[name], others[name], atol=1e-4) for name in weights)


def test_nothing_is_read_between_two_readings():
    training = make_training(CASES["all"][0], accumulate=2)
    readings = training.taken.losses(0, 0, StopSignal())
    next(readings)  # the state of the optimizer exists from here on
    for _ in range(READINGS - 1):
        with Reads() as reads:
            losses = next(readings)
        assert len(losses) > 1 and reads.count == 0
    with Reads() as reads:  # the check itself can fail
        torch.ones(3).sum().item()
    assert reads.count == 1


def test_a_stop_is_noticed_after_the_step():
    stop, taken = StopSignal(), []
    training = make_training(ADAM)
    training.taken._take = lambda: (taken.append(1), setattr(stop, "requested", len(taken) == 2))
    assert len(next(training.taken.losses(0, 0, stop))) == 2


@pytest.mark.parametrize("recipe", [CASES["all"][0], SGD.replace(epochs=2)], ids=["adamw", "sgd"])
def test_a_resumed_trial_ends_bit_identical(recipe, tmp_path):
    def train(folder, stop_in=None):
        with seeded(3), StopSignal() as stop:

            def report(moment):
                stop.requested = moment.ends_epoch and moment.epoch == stop_in

            training = make_training(recipe)
            return training.run_to_end(Checkpoints(folder), math.inf, stop, report), training

    whole, expected = train(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "stopped", stop_in=1)
    resumed, training = train(tmp_path / "stopped")
    assert resumed.losses == whole.losses and len(whole.losses) == 2
    for own, theirs in ((training.network, expected.network), (training.ema, expected.ema)):
        if own is not None:
            assert all(torch.equal(x, theirs.state_dict()[name]) for name, x in own.state_dict().items())


def test_a_trial_resumes_within_an_epoch():
    with seeded(3):
        whole = make_training(CASES["all"][0])
        expected = take_epoch(whole)
    with seeded(3):
        first = make_training(CASES["all"][0])
        first.network.train()
        losses = next(first.taken.losses(0, 0, StopSignal()))
        state = first._state(Progress(step=len(losses)))
    with seeded(9):
        second = make_training(CASES["all"][0])
        second._restore(state)
        losses += take_epoch(second, len(losses))
    assert losses == expected


def test_a_loss_that_is_not_finite_ends_the_training(tmp_path):
    training = make_training(SGD.replace(lr=1e12))
    completed = training.run_to_end(Checkpoints(tmp_path), math.inf, StopSignal(), None)
    assert len(completed.losses) == 1 and not math.isfinite(completed.losses[0])


def test_the_loss_scale_of_float16_is_restored():
    training, other = make_training(ADAM, precision="fp16"), make_training(ADAM, precision="fp16")
    training.taken.scaler._growth_interval = 3
    losses = take_epoch(training)
    assert losses[-1] < losses[0] and training.taken.scaler.get_scale() != other.taken.scaler.get_scale()
    other.taken.restore(training.taken.state())
    assert other.taken.scaler.state_dict() == training.taken.scaler.state_dict()


def test_bf16_is_close_to_float32():
    losses, expected = (take_epoch(make_training(ADAM, precision=precision)) for precision in ("bf16", "no"))
    assert losses != expected and losses == pytest.approx(expected, rel=0.1)


class Reads(TorchDispatchMode):
    """Count the operators that bring a value, or a number of elements, from a device to the CPU."""

    NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "unique", "equal")

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += func.__name__.split(".")[0] in self.NAMES
        return func(*args, **(kwargs or {}))
