"""Means, intervals and verdicts, checked against values computed by hand or by SciPy."""

import pytest
from scipy import stats

from ablation.design import published
from ablation.evidence.intervals import Interval, mean_interval, paired_difference
from ablation.evidence.verdicts import published_sign, verdict


def test_intervals_match_scipy():
    values = [90.0, 92.0, 95.0]
    low, high = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=stats.sem(values))
    result = mean_interval(values)
    assert (result.mean - result.half, result.mean + result.half) == pytest.approx((low, high))
    assert mean_interval([3.0]) == Interval(3.0, None)


def test_differences_are_paired_by_seed():
    result = paired_difference({0: 5.0, 1: 7.0, 9: 100.0}, {0: 4.0, 1: 6.0, 2: 0.0})
    assert result == Interval(1.0, 0.0)
    assert paired_difference({0: 1.0}, {1: 1.0}) is None


@pytest.mark.parametrize(
    ("after", "before", "sign"),
    [
        ("depthwise", "patchify_stem", -1),
        ("widen", "depthwise", 1),
        ("patchify_stem", "stage_ratio", 0),
        ("kernel_size_7", "move_up_depthwise", 1),
        ("gelu", "kernel_size_7", 0),
        ("enhanced_recipe", "original_recipe", 1),
    ],
)
def test_signs_of_the_paper(after, before, sign):
    assert published_sign(published.RESNET50[after], published.RESNET50[before]) == sign


@pytest.mark.parametrize(
    ("mean", "half", "sign", "word"),
    [
        (1.0, 0.5, 1, "agrees"),
        (1.0, 0.5, -1, "reverses"),
        (1.0, 0.5, 0, "differs"),
        (1.0, 1.5, 0, "agrees"),
        (1.0, 1.5, 1, "within noise"),
        (-1.0, 0.5, -1, "agrees"),
        (1.0, None, 1, ""),
    ],
)
def test_verdicts(mean, half, sign, word):
    assert verdict(Interval(mean, half), sign) == word


def test_without_a_difference_there_is_no_verdict():
    assert verdict(None, 1) == ""
