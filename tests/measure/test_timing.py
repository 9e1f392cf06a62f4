"""Timing: the logic on a clock that the test turns, and the real thing only to see that it runs and changes nothing."""

import itertools
import shutil

import pytest
import torch
from torch import nn

from ablation import AblationError, count
from ablation.measure import timing
from ablation.measure.timing import benchmark, matrix_rate
from tests.untouched import untouched

RATE = 1_000_000
COMPILER = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")


class Clock:
    """Stands still until it is turned."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """The clock that timing reads, and a machine of a thousandth of a GMAC a second."""
    clock = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", clock.perf_counter)
    monkeypatch.setattr(timing, "matrix_rate", lambda *machine: RATE)
    return clock


class Takes(nn.Module):
    """A convolution whose call takes the next of some times, in seconds."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1, bias=False)
        self.told = [clock, itertools.cycle(seconds)]

    def forward(self, x):
        clock, seconds = self.told
        clock.now += next(seconds)
        return self.conv(x)

    def __deepcopy__(self, memo):
        copied = Takes(*self.told)  # with the same clock
        copied.conv.load_state_dict(self.conv.state_dict())
        return copied


def sampled(monkeypatch, seconds):
    """Have timing take these samples."""
    monkeypatch.setattr(timing, "sampled_seconds", lambda call, samples, *rest: list(seconds)[:samples])
    monkeypatch.setattr(timing, "matrix_rate", lambda *machine: RATE)


def small():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True))


def test_median_quartiles_and_what_follows(monkeypatch):
    sampled(monkeypatch, [float(i) for i in (4, 1, 11, 7, 2, 9, 3, 10, 6, 5, 8)])
    timed = benchmark(nn.Conv2d(3, 4, 1, bias=False), size=10, batch=5, samples=11)
    assert (timed.low, timed.seconds, timed.high, timed.samples) == (3, 6, 9, 11)
    assert timed.spread == 1 and timed.images_per_second == 5 / 6
    assert timed.macs == 5 * 3 * 4 * 100
    assert timed.roofline_share == pytest.approx(6000 / 6 / RATE)
    assert (timed.step, timed.batch, timed.size, timed.memory_format) == ("forward", 5, 10, "NCHW")
    assert (timed.precision, timed.compiled, timed.device, timed.threads) == (
        "fp32",
        False,
        "cpu",
        torch.get_num_threads(),
    )
    assert timed.peak_bytes == 5 * 4 * 100 * 4


def test_a_training_step_counts_as_three_forwards(monkeypatch):
    sampled(monkeypatch, [1.0] * 11)
    module = small()
    forward, training = (benchmark(module, size=8, batch=2, step=step) for step in ("forward", "training"))
    assert training.macs == 3 * forward.macs == 3 * 2 * count(module, size=8).macs
    assert training.peak_bytes > forward.peak_bytes
    assert training.spread == 0


def test_a_burst_of_other_work_is_not_kept(clock):
    quiet, burst = [0.2] * 9, [0.2, 0.4, 0.2, 0.5, 0.2, 0.6, 0.2, 0.7, 0.2]
    timed = benchmark(Takes(clock, [0.2, 0.2, 0.2, *burst, 0.2, *quiet]), size=4)
    assert (timed.seconds, timed.spread) == (pytest.approx(0.2), pytest.approx(0))


def test_a_machine_that_never_rests_says_so(monkeypatch):
    sets = iter([[1.0, 2.0, 3.0, 4.0], [1.0, 1.5, 1.5, 2.0], [1.0, 2.0, 2.0, 4.0]])
    monkeypatch.setattr(timing, "sampled_seconds", lambda *given: next(sets))
    monkeypatch.setattr(timing, "matrix_rate", lambda *machine: RATE)
    timed = benchmark(nn.Conv2d(3, 4, 1), size=4, samples=4)
    assert timed.spread == pytest.approx((1.875 - 1.125) / 1.5), "the steadiest of three"
    assert next(sets, None) is None


def test_what_cannot_be_counted_has_no_share(monkeypatch):
    sampled(monkeypatch, [1.0] * 11)
    timed = benchmark(nn.Sequential(nn.Flatten(), nn.LSTM(192, 4)), size=8, batch=2)
    assert timed.macs is None and timed.roofline_share is None


def test_a_steady_network_takes_what_its_calls_take(clock):
    timed = benchmark(Takes(clock, [0.25]), size=4, batch=2)
    assert (timed.seconds, timed.low, timed.high, timed.spread) == (0.25, 0.25, 0.25, 0)
    assert timed.images_per_second == 8


def test_two_timings_agree_within_the_spread_they_report(clock):
    noise = [0.02 * (1 + 0.1 * (7 * i % 11) / 11) for i in range(11)]
    module = Takes(clock, [*noise, 0.05])  # once in a while, something else runs
    one, other = benchmark(module, size=4), benchmark(module, size=4)
    assert abs(one.seconds - other.seconds) <= min(one.high - one.low, other.high - other.low)
    assert 0 < one.spread < 0.2


def test_one_slow_sample_does_not_move_the_median(clock):
    calls = [0.02] * 3 + [0.02] * 10 + [5.0]
    assert benchmark(Takes(clock, [*calls, 0.02, 0.02, 0.02]), size=4).seconds == pytest.approx(0.02)


def test_short_calls_are_taken_many_at_a_time(clock):
    moments = []
    timed = benchmark(
        Takes(clock, [0.0005]), size=4, samples=5, progress=lambda *done: moments.append((clock.now, *done))
    )
    assert timed.seconds == pytest.approx(0.0005)
    assert [done[1:] for done in moments] == [(i + 1, 5) for i in range(5)]
    lengths = [later[0] - before[0] for before, later in itertools.pairwise(moments)]
    assert all(0.01 <= length < 0.1 for length in lengths)


def test_calls_to_warm_up_are_not_kept(clock):
    timed = benchmark(Takes(clock, [9.0, 3.0] + [0.5] * 20), size=4, samples=6)
    assert (timed.low, timed.seconds, timed.high) == (0.5, 0.5, 0.5)


def test_garbage_is_collected_again_afterwards(clock):
    import gc

    class Fails(Takes):
        def __deepcopy__(self, memo):
            return self

        def forward(self, x):
            if clock.now > 5:
                assert not gc.isenabled(), "not in the middle of a sample"
                raise RuntimeError("half-way")
            return super().forward(x)

    with pytest.raises(AblationError, match="half-way"):
        benchmark(Fails(clock, [1.0]), size=4)
    assert gc.isenabled()


def test_the_machine_s_rate_is_the_best_of_its_samples(monkeypatch):
    monkeypatch.setattr(timing, "_MATRIX_SIDE", {"cpu": 10})
    monkeypatch.setattr(timing, "sampled_seconds", lambda call, samples, device: [3.0, 2.0, 4.0])
    assert matrix_rate.__wrapped__("cpu", "fp32", 1) == 1000 / 2


def test_a_machine_that_is_slow_at_it_is_asked_for_smaller_products(monkeypatch):
    sides = []
    monkeypatch.setattr(timing, "_MATRIX_SIDE", {"cpu": 64})
    monkeypatch.setattr(timing, "_seconds", lambda call, calls, device: 0.1)  # for 8 x 8: 51 s for 64 x 64
    monkeypatch.setattr(timing, "sampled_seconds", lambda call, samples, device: sides.append(len(call())) or [2.0])
    assert matrix_rate.__wrapped__("cpu", "bf16", 1) == 16**3 / 2 and sides == [16]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_real_rate_is_a_number(monkeypatch, precision):
    monkeypatch.setattr(timing, "_MATRIX_SIDE", {"cpu": 64})
    assert matrix_rate.__wrapped__("cpu", precision, torch.get_num_threads()) > 1e6


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

    with pytest.raises(AblationError, match="Names puts out a dict: a training step takes one tensor"):
        benchmark(Names(), size=8, step="training")


def test_a_training_step_takes_weights():
    with pytest.raises(AblationError, match="ReLU"):
        benchmark(nn.ReLU(), size=8, step="training")


def test_inference_mode_is_refused():
    with torch.inference_mode(), pytest.raises(AblationError, match=r"torch\.no_grad"):
        benchmark(nn.Conv2d(3, 4, 1), size=8)
