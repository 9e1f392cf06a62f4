"""Benchmarks of real runs: options, unchanged modules and invalid input."""

import shutil

import pytest
import torch
from torch import nn

from ablation import AblationError, count
from ablation.measure import timing
from ablation.measure.timing import benchmark, matrix_rate
from tests.measure.networks import small_relu_net
from tests.untouched import untouched

COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")


@pytest.fixture
def fixed_rate(monkeypatch):
    """Replace the measurement of the machine's speed by a constant, to save time."""
    monkeypatch.setattr(timing, "matrix_rate", lambda *machine: 1_000_000)


@pytest.mark.parametrize("step", ["forward", "training"])
@pytest.mark.parametrize("memory_format", ["NCHW", "channels-last"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_combination_of_options_runs_and_leaves_the_module_unchanged(fixed_rate, step, memory_format, precision):
    module = small_relu_net().train()
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
def test_compiled_copy_is_timed_and_the_module_itself_is_not_compiled(fixed_rate):
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    with untouched(module):
        timed = benchmark(module, size=8, batch=2, compiled=True, samples=4)
    assert timed.compiled and timed.seconds > 0 and timed.peak_bytes is None
    assert timed.macs == 2 * count(module, size=8).macs


def test_compiler_errors_are_reported(fixed_rate, monkeypatch):
    def failing_compile(module):
        def call(images):
            raise OSError("no compiler found\nsecond line")

        call.parameters = module.parameters
        return call

    monkeypatch.setattr(torch, "compile", failing_compile)
    with pytest.raises(AblationError, match="no compiler found"):
        benchmark(small_relu_net(), size=8, compiled=True)


def test_options_are_applied_to_the_timed_copy(fixed_rate):
    calls = []

    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def __deepcopy__(self, memo):
            return Recorder()

        def forward(self, x):
            output = self.conv(x)
            calls.append(
                (
                    self.training,
                    torch.is_grad_enabled(),
                    x.is_contiguous(memory_format=torch.channels_last),
                    self.conv.weight.is_contiguous(memory_format=torch.channels_last),
                    output.dtype,
                )
            )
            return output

    benchmark(Recorder(), size=8, batch=2, samples=4)
    assert calls[0] == (False, False, False, False, torch.float32)
    calls.clear()
    options = {"step": "training", "memory_format": "channels-last", "precision": "bf16"}
    benchmark(Recorder(), size=8, batch=2, samples=4, **options)
    assert calls[0] == (True, True, True, True, torch.bfloat16)


def test_random_state_of_the_caller_is_not_changed(monkeypatch):
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
        ({"size": 0}, "size 0 must be the side of a square"),
        ({"samples": 3}, "samples 3 must be 4 or more"),
        ({"in_chans": 5}, "Conv2d could not be run on images of 5 x 8 x 8"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_invalid_options_are_refused(options, message):
    with pytest.raises(AblationError, match=message):
        benchmark(nn.Conv2d(3, 4, 1), **{"size": 8, **options})


def test_training_step_requires_a_single_tensor_as_output():
    class DictOutput(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return {"out": self.conv(x)}

    with pytest.raises(AblationError, match="DictOutput outputs a dict: a training step requires a single tensor"):
        benchmark(DictOutput(), size=8, step="training")


def test_training_step_requires_weights():
    with pytest.raises(AblationError, match="ReLU depends on no weights"):
        benchmark(nn.ReLU(), size=8, step="training")


def test_inference_mode_is_refused():
    with torch.inference_mode(), pytest.raises(AblationError, match=r"torch\.no_grad"):
        benchmark(nn.Conv2d(3, 4, 1), size=8)
