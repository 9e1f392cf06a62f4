"""Benchmarks of real runs: options, unchanged modules and invalid input."""

import shutil

import pytest
import torch
from torch import nn

from ablation import AblationError, count
from ablation.measure import timing
from ablation.measure.timing import benchmark, matrix_rate
from tests.untouched import untouched

COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")


@pytest.fixture
def quick(monkeypatch):
    """The machine's rate is not what is looked at."""
    monkeypatch.setattr(timing, "matrix_rate", lambda *machine: RATE)


@pytest.mark.parametrize("step", ["forward", "training"])
@pytest.mark.parametrize("memory_format", ["NCHW", "channels-last"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_way_to_run_runs_and_leaves_the_module_alone(quick, step, memory_format, precision):
    module = small().train()
    module[1].eval()
    module[0].bias.requires_grad_(False)
    module[0].weight.grad = torch.ones_like(module[0].weight)
    with untouched(module):
        timed = benchmark(
            module, size=8, batch=2, step=step, memory_format=memory_format, precision=precision, samples=4
        )
    assert timed.low <= timed.seconds <= timed.high and timed.seconds > 0 and timed.samples == 4
    assert (timed.step, timed.memory_format, timed.precision) == (step, memory_format, precision)
    assert timed.peak_bytes > 0


@pytest.mark.skipif(COMPILER is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_is_timed_and_the_module_is_not_compiled(quick):
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    with untouched(module):
        timed = benchmark(module, size=8, batch=2, compiled=True, samples=4)
    assert timed.compiled and timed.seconds > 0 and timed.peak_bytes is None
    assert timed.macs == 2 * count(module, size=8).macs


def test_what_cannot_be_compiled_is_said(quick, monkeypatch):
    def refuses(module):
        def call(images):
            raise OSError("no compiler here\nat all")

        call.parameters = module.parameters
        return call

    monkeypatch.setattr(torch, "compile", refuses)
    with pytest.raises(AblationError, match="no compiler here"):
        benchmark(small(), size=8, compiled=True)


def test_what_runs_is_what_was_asked_for(quick):
    seen = []

    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)
            self.seen = seen

        def __deepcopy__(self, memo):
            return Looks()

        def forward(self, x):
            output = self.conv(x)
            seen.append(
                (
                    self.training,
                    torch.is_grad_enabled(),
                    x.is_contiguous(memory_format=torch.channels_last),
                    self.conv.weight.is_contiguous(memory_format=torch.channels_last),
                    output.dtype,
                )
            )
            return output

    benchmark(Looks(), size=8, batch=2, samples=4)
    assert seen[0] == (False, False, False, False, torch.float32)
    seen.clear()
    options = {"step": "training", "memory_format": "channels-last", "precision": "bf16"}
    benchmark(Looks(), size=8, batch=2, samples=4, **options)
    assert seen[0] == (True, True, True, True, torch.bfloat16)


def test_the_caller_s_random_state_is_left_alone(monkeypatch):
    monkeypatch.setattr(timing, "_MATRIX_SIDE", {"cpu": 16})
    monkeypatch.setattr(timing, "matrix_rate", matrix_rate.__wrapped__)
    module, before = nn.Conv2d(3, 4, 1), torch.get_rng_state()
    benchmark(module, size=8, samples=4)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": "train"}, "unknown step 'train'; did you mean 'training'. Possible: forward, training"),
        ({"memory_format": "channels_last"}, "unknown memory_format 'channels_last'; did you mean 'channels-last'"),
        ({"precision": "fp16"}, "unknown precision 'fp16'; did you mean '(fp32|bf16)'"),
        ({"batch": 0}, "batch 0 must be 1 or more"),
        ({"size": 0}, "size 0 must be 1 or more"),
        ({"samples": 3}, "samples 3 must be 4 or more"),
        ({"in_chans": 5}, "Conv2d could not be run on images of 5 x 8 x 8"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_options(options, message):
    with pytest.raises(AblationError, match=message):
        benchmark(nn.Conv2d(3, 4, 1), **{"size": 8, **options})


def test_a_training_step_takes_one_tensor():
    class Names(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return {"out": self.conv(x)}

    with pytest.raises(AblationError, match="Names outputs a dict: a training step requires a single tensor"):
        benchmark(Names(), size=8, step="training")


def test_a_training_step_takes_weights():
    with pytest.raises(AblationError, match="ReLU"):
        benchmark(nn.ReLU(), size=8, step="training")


def test_inference_mode_is_refused():
    with torch.inference_mode(), pytest.raises(AblationError, match=r"torch\.no_grad"):
        benchmark(nn.Conv2d(3, 4, 1), size=8)
