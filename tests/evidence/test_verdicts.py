"""Means, intervals and verdicts, checked against values computed by hand or by SciPy."""

import pytest
from scipy import stats

from ablation.design import published
from ablation.evidence.contrasts import Contrast, contrasts
from ablation.evidence.intervals import Interval, mean_interval
from ablation.evidence.verdicts import published_sign, verdict_of


def test_intervals_match_scipy():
    values = [90.0, 92.0, 95.0]
    low, high = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=stats.sem(values))
    result = mean_interval(values)
    assert (result.mean - result.half, result.mean + result.half) == pytest.approx((low, high))
    assert mean_interval([3.0]) == Interval(3.0, None)


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


def contrast(difference, half_90, p_holm, n=3, diverged=0):
    """Return a contrast of which only what a verdict rests on is given."""
    unused = float("nan")
    return Contrast(difference, 0.0, half_90, 0.0, p_holm, unused, 30.0, False, n, diverged)


@pytest.mark.parametrize(
    ("difference", "half_90", "p_holm", "sign", "word"),
    [
        (2.0, 0.5, 0.049, 1, "agrees"),
        (-2.0, 0.5, 0.049, -1, "agrees"),
        (2.0, 0.5, 0.049, -1, "reverses"),
        (-2.0, 0.5, 0.049, 1, "reverses"),
        (2.0, 0.5, 0.049, 0, "differs"),
        (-2.0, 0.5, 0.049, 0, "differs"),
        (2.0, 0.5, 0.051, 1, "undecided"),
        (0.5, 0.4, 0.049, 1, "agrees"),  # an effect that is found is not equivalent, however small
        (0.5, 0.4, 0.2, 1, "equivalent"),
        (-0.5, 0.4, 0.2, 1, "equivalent"),
        (0.5, 0.6, 0.2, 1, "undecided"),
        (-0.5, 0.6, 0.2, 1, "undecided"),
        (0.0, 20.0, 1.0, 0, "undecided"),  # a wide interval agrees with nothing
        (0.0, 0.9, 1.0, 0, "equivalent"),
        (2.0, 0.5, float("nan"), 1, ""),
    ],
)
def test_verdicts_of_contrasts(difference, half_90, p_holm, sign, word):
    assert verdict_of(contrast(difference, half_90, p_holm), sign) == word


@pytest.mark.parametrize(("n", "diverged", "word"), [(3, 0, "agrees"), (2, 0, ""), (3, 1, ""), (0, 3, "")])
def test_fewer_than_three_seeds_or_diverged_ones_give_no_verdict(n, diverged, word):
    assert verdict_of(contrast(2.0, 0.5, 0.001, n, diverged), 1) == word


def test_diverged_seeds_and_missing_ones_count_for_both_steps_of_a_row():
    rows = {name: {seed: 70.0 + 2 * i + 0.1 * seed for seed in range(4)} for i, name in enumerate("abcde")}
    del rows["b"][0]
    pairs = [("b", "a"), ("c", "b"), ("d", "c"), ("e", "d")]
    recipes = dict.fromkeys(rows, "micro")

    def verdicts(diverged):
        found = contrasts(rows, recipes, pairs, diverged)
        assert all(step.difference > 1 and step.p_holm < 0.001 for step in found)
        return [verdict_of(step, 1) for step in found]

    assert verdicts({}) == ["agrees"] * 4, "three seeds are enough"
    assert verdicts({"b": 1}) == ["", "", "agrees", "agrees"]
    del rows["d"][0], rows["d"][1]
    assert verdicts({}) == ["agrees", "agrees", "", ""]


@pytest.mark.parametrize(("std", "word"), [(0.3, "equivalent"), (3.0, "undecided")])
def test_equivalence_is_shown_by_two_one_sided_tests(std, word):
    """With the p-values of SciPy's one-sided tests against -1 and 1."""
    spread = [-std, 0.0, std]
    rows = {"a": dict(enumerate(70 + x for x in spread)), "b": dict(enumerate(70.1 + x for x in spread))}
    (step,) = contrasts(rows, dict.fromkeys(rows, "micro"), [("b", "a")])
    after, before = list(rows["b"].values()), list(rows["a"].values())
    above = stats.ttest_ind([x + 1 for x in after], before, alternative="greater").pvalue
    below = stats.ttest_ind([x - 1 for x in after], before, alternative="less").pvalue
    assert (max(above, below) < 0.05) == (word == "equivalent")
    assert verdict_of(step, 1) == verdict_of(step, 0) == word
