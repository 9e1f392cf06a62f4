"""Statistics of timings with a simulated clock or given samples, and the speed of the machine."""

import gc
import itertools

import pytest
import torch
from torch import nn

from ablation import AblationError, count
from ablation.measure import timing
from ablation.measure.timing import benchmark, matrix_rate
from tests.measure.networks import small_relu_net

RATE = 1_000_000  # multiply-accumulates per second of the simulated machine


class Clock:
    """A clock that advances only when a test sets it."""

    def __init__(self):
        self.now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """Replace the clock of the timing module, and set the speed of the machine to `RATE`."""
    clock = Clock()
    monkeypatch.setattr(timing.time, "perf_counter", clock.perf_counter)
    monkeypatch.setattr(timing, "matrix_rate", lambda *machine: RATE)
    return clock


class TimedConv(nn.Module):
    """A convolution whose calls take given times in seconds, repeated cyclically."""

    def __init__(self, clock, seconds):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1, bias=False)
        self.clock_and_seconds = [clock, itertools.cycle(seconds)]

    def forward(self, x):
        clock, seconds = self.clock_and_seconds
        clock.now += next(seconds)
        return self.conv(x)

    def __deepcopy__(self, memo):
        copied = TimedConv(*self.clock_and_seconds)  # shares the clock
        copied.conv.load_state_dict(self.conv.state_dict())
        return copied


def use_samples(monkeypatch, seconds):
    """Replace the samples of the timing module."""
    monkeypatch.setattr(timing, "sampled_seconds", lambda call, samples, *rest: list(seconds)[:samples])
    monkeypatch.setattr(timing, "matrix_rate", lambda *machine: RATE)


def test_median_quartiles_and_derived_quantities(monkeypatch):
    use_samples(monkeypatch, [float(i) for i in (4, 1, 11, 7, 2, 9, 3, 10, 6, 5, 8)])
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


def test_training_step_counts_as_three_forward_passes(monkeypatch):
    use_samples(monkeypatch, [1.0] * 11)
    module = small_relu_net()
    forward, training = (benchmark(module, size=8, batch=2, step=step) for step in ("forward", "training"))
    assert training.macs == 3 * forward.macs == 3 * 2 * count(module, size=8).macs
    assert training.peak_bytes > forward.peak_bytes
    assert training.spread == 0


def test_samples_during_a_burst_of_other_load_are_discarded(clock):
    steady, burst = [0.2] * 9, [0.2, 0.4, 0.2, 0.5, 0.2, 0.6, 0.2, 0.7, 0.2]
    timed = benchmark(TimedConv(clock, [0.2, 0.2, 0.2, *burst, 0.2, *steady]), size=4)
    assert (timed.seconds, timed.spread) == (pytest.approx(0.2), pytest.approx(0))


def test_steadiest_of_three_sets_is_reported_if_none_is_steady(monkeypatch):
    sets = iter([[1.0, 2.0, 3.0, 4.0], [1.0, 1.5, 1.5, 2.0], [1.0, 2.0, 2.0, 4.0]])
    monkeypatch.setattr(timing, "sampled_seconds", lambda *args: next(sets))
    monkeypatch.setattr(timing, "matrix_rate", lambda *machine: RATE)
    timed = benchmark(nn.Conv2d(3, 4, 1), size=4, samples=4)
    assert timed.spread == pytest.approx((1.875 - 1.125) / 1.5), "the steadiest of three"
    assert next(sets, None) is None


def test_module_without_counting_rule_has_no_roofline_share(monkeypatch):
    use_samples(monkeypatch, [1.0] * 11)
    timed = benchmark(nn.Sequential(nn.Flatten(), nn.LSTM(192, 4)), size=8, batch=2)
    assert timed.macs is None and timed.roofline_share is None


def test_constant_call_times_give_zero_spread(clock):
    timed = benchmark(TimedConv(clock, [0.25]), size=4, batch=2)
    assert (timed.seconds, timed.low, timed.high, timed.spread) == (0.25, 0.25, 0.25, 0)
    assert timed.images_per_second == 8


def test_two_timings_agree_within_the_reported_spread(clock):
    noisy = [0.02 * (1 + 0.1 * (7 * i % 11) / 11) for i in range(11)]
    module = TimedConv(clock, [*noisy, 0.05])  # with an occasional outlier
    first, second = benchmark(module, size=4), benchmark(module, size=4)
    assert abs(first.seconds - second.seconds) <= min(first.high - first.low, second.high - second.low)
    assert 0 < first.spread < 0.2


def test_one_slow_sample_does_not_change_the_median(clock):
    calls = [0.02] * 3 + [0.02] * 10 + [5.0]
    assert benchmark(TimedConv(clock, [*calls, 0.02, 0.02, 0.02]), size=4).seconds == pytest.approx(0.02)


def test_short_calls_are_timed_in_groups(clock):
    reports = []
    timed = benchmark(
        TimedConv(clock, [0.0005]), size=4, samples=5, progress=lambda *done: reports.append((clock.now, *done))
    )
    assert timed.seconds == pytest.approx(0.0005)
    assert [report[1:] for report in reports] == [(i + 1, 5) for i in range(5)]
    durations = [after[0] - before[0] for before, after in itertools.pairwise(reports)]
    assert all(0.01 <= duration < 0.1 for duration in durations)


def test_warm_up_calls_are_not_sampled(clock):
    timed = benchmark(TimedConv(clock, [9.0, 3.0] + [0.5] * 20), size=4, samples=6)
    assert (timed.low, timed.seconds, timed.high) == (0.5, 0.5, 0.5)


def test_garbage_collection_is_enabled_again_after_an_error(clock):
    class Fails(TimedConv):
        def __deepcopy__(self, memo):
            return self

        def forward(self, x):
            if clock.now > 5:
                assert not gc.isenabled(), "garbage collection must be disabled during a sample"
                raise RuntimeError("midway")
            return super().forward(x)

    with pytest.raises(AblationError, match="midway"):
        benchmark(Fails(clock, [1.0]), size=4)
    assert gc.isenabled()


def test_matrix_rate_is_the_best_of_its_samples(monkeypatch):
    monkeypatch.setattr(timing, "_MATRIX_SIDE", {"cpu": 10})
    monkeypatch.setattr(timing, "sampled_seconds", lambda call, samples, device: [3.0, 2.0, 4.0])
    assert matrix_rate.__wrapped__("cpu", "fp32", 1) == 1000 / 2


def test_matrix_rate_uses_smaller_products_on_slow_machines(monkeypatch):
    sides = []
    monkeypatch.setattr(timing, "_MATRIX_SIDE", {"cpu": 64})
    monkeypatch.setattr(
        timing, "_seconds", lambda call, calls, device: 0.1
    )  # for 8 x 8, so 51 s are expected for 64 x 64
    monkeypatch.setattr(timing, "sampled_seconds", lambda call, samples, device: sides.append(len(call())) or [2.0])
    assert matrix_rate.__wrapped__("cpu", "bf16", 1) == 16**3 / 2 and sides == [16]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_matrix_rate_of_this_machine_is_plausible(monkeypatch, precision):
    monkeypatch.setattr(timing, "_MATRIX_SIDE", {"cpu": 64})
    assert matrix_rate.__wrapped__("cpu", precision, torch.get_num_threads()) > 1e6
