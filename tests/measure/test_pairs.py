"""Timing in turns: order, intervals, verdicts; nothing of the modules changes."""

from itertools import cycle

import pytest
from torch import nn

from ablation.errors import AblationError
from ablation.measure.pairs import LEAST_PAIRS, Pairs, alternate, interleaved


def pairs(*ratios):
    return Pairs(tuple(1.0 for _ in ratios), ratios)


def test_the_calls_alternate_and_the_first_of_each_is_not_kept():
    calls = []

    def clock(name):
        def call():
            calls.append(name)
            return float(len(calls))

        return call

    found = alternate(clock("a"), clock("b"), 3)
    assert "".join(calls) == "abABBAAB".lower()
    assert found.first == (3.0, 6.0, 7.0) and found.second == (4.0, 5.0, 8.0)


def test_a_machine_that_slows_down_does_not_decide():
    slowing = iter(range(1, 100))
    found = alternate(lambda: 1.0 * next(slowing), lambda: 1.0 * next(slowing), 8)
    assert found.interval[0] < 1 < found.interval[1]


def test_noise_that_hits_both_leaves_the_ratio():
    noise = cycle([1, 1, 5, 5, 2, 2])
    found = alternate(lambda: 1.0 * next(noise), lambda: 1.5 * next(noise), 9)
    assert found.ratio == pytest.approx(1.5) and found.verdict("a", "b") == "a is faster than b"


@pytest.mark.parametrize(
    ("n", "cut"), [(6, 0), (7, 0), (8, 0), (9, 1), (12, 2), (20, 5)]
)  # tables of the sign test: the interval of the median at 95 %
def test_the_interval_is_that_of_the_sign_test(n, cut):
    ratios = [1.0 + i for i in range(n)]
    assert pairs(*ratios).interval == (ratios[cut], ratios[n - 1 - cut])


def test_verdicts():
    assert pairs(*[1.1] * 6).verdict("a", "b") == "a is faster than b"
    assert pairs(*[0.9] * 6).verdict("a", "b") == "b is faster than a"
    assert "cannot be told from 6 pairs" in pairs(0.9, 1.1, 1.2, 1.1, 1.2, 1.3).verdict("a", "b")


def test_too_few_pairs_are_refused():
    with pytest.raises(AblationError, match=f"{LEAST_PAIRS} or more"):
        interleaved(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), pairs=LEAST_PAIRS - 1)


def test_a_network_of_four_times_the_work_is_slower_and_both_are_left_as_they_were():
    small, large = nn.Conv2d(3, 8, 3), nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 64, 3))
    small.train()
    found = interleaved(small, large, size=48, pairs=6)
    assert found.ratio > 1 and found.verdict("small", "large") == "small is faster than large"
    assert small.training and small.weight.grad is None
