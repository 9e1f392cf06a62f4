"""Interleaved timing: order of the calls, intervals, verdicts, unchanged modules."""

from itertools import cycle

import pytest
from torch import nn

from ablation.errors import AblationError
from ablation.measure.pairs import MIN_PAIRS, Pairs, alternate, interleaved


def pairs(*ratios):
    return Pairs(tuple(1.0 for _ in ratios), ratios)


def test_calls_alternate_and_the_warm_up_calls_are_not_recorded():
    calls = []

    def timed_call(name):
        def call():
            calls.append(name)
            return float(len(calls))

        return call

    found = alternate(timed_call("a"), timed_call("b"), 3)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert found.first == (3.0, 6.0, 7.0) and found.second == (4.0, 5.0, 8.0)


def test_steady_slowdown_of_the_machine_gives_no_winner():
    slowing = iter(range(1, 100))
    found = alternate(lambda: 1.0 * next(slowing), lambda: 1.0 * next(slowing), 8)
    assert found.interval[0] < 1 < found.interval[1]


def test_noise_common_to_both_does_not_change_the_ratio():
    noise = cycle([1, 1, 5, 5, 2, 2])
    found = alternate(lambda: 1.0 * next(noise), lambda: 1.5 * next(noise), 9)
    assert found.ratio == pytest.approx(1.5) and found.verdict("a", "b") == "a is faster than b"


@pytest.mark.parametrize(
    ("n", "cut"), [(6, 0), (7, 0), (8, 0), (9, 1), (12, 2), (20, 5)]
)  # from tables of the sign test: 95 % confidence interval of the median
def test_interval_is_that_of_the_sign_test(n, cut):
    ratios = [1.0 + i for i in range(n)]
    assert pairs(*ratios).interval == (ratios[cut], ratios[n - 1 - cut])


def test_verdicts():
    assert pairs(*[1.1] * 6).verdict("a", "b") == "a is faster than b"
    assert pairs(*[0.9] * 6).verdict("a", "b") == "b is faster than a"
    assert "6 pairs do not show whether a or b is faster" in pairs(0.9, 1.1, 1.2, 1.1, 1.2, 1.3).verdict("a", "b")


def test_too_few_pairs_are_refused():
    with pytest.raises(AblationError, match=f"{MIN_PAIRS} or more"):
        interleaved(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1), pairs=MIN_PAIRS - 1)


def test_larger_network_is_slower_and_both_modules_are_unchanged():
    small, large = nn.Conv2d(3, 8, 3), nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 64, 3))
    small.train()
    found = interleaved(small, large, size=48, pairs=6)
    assert found.ratio > 1 and found.verdict("small", "large") == "small is faster than large"
    assert small.training and small.weight.grad is None
