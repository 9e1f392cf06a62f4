"""Contrasts: pooled or Welch's, corrected by Holm, checked against SciPy and against hand-made ladders."""

import itertools

import numpy as np
import pytest
from scipy import stats

from ablation import AblationError
from ablation.evidence.contrasts import contrasts, estimate, holm, spread

RANDOM = np.random.default_rng(7)
ROWS = [f"row {i}" for i in range(8)]
PAIRS = [(after, before) for before, after in itertools.pairwise(ROWS[:-1])]
ONE_RECIPE = dict.fromkeys(ROWS, "micro")


def measured(std=1.0, seeds=4, **others):
    """Return accuracies of eight rows; `row_3=10.0` gives row 3 another standard deviation."""
    found = {}
    for name in ROWS:
        scale = others.get(name.replace(" ", "_"), std)
        found[name] = dict(enumerate(map(float, RANDOM.normal(70, scale, seeds))))
    return found


def by_name(found):
    return {after: contrast for (after, _), contrast in zip(PAIRS, found, strict=True)}


def test_two_rows_of_one_recipe_are_a_t_test_with_equal_variances():
    rows = {name: by_seed for name, by_seed in measured().items() if name in ROWS[:2]}
    after, before = list(rows["row 1"].values()), list(rows["row 0"].values())
    (step,) = contrasts(rows, ONE_RECIPE, [("row 1", "row 0")])
    expected = stats.ttest_ind(after, before)
    low, high = expected.confidence_interval(0.95)
    assert (step.p, step.df) == pytest.approx((expected.pvalue, expected.df)) and not step.welch
    assert (step.difference - step.half, step.difference + step.half) == pytest.approx((low, high))
    low, high = expected.confidence_interval(0.90)
    assert step.equivalence_half == pytest.approx((high - low) / 2)
    assert step.p_holm == step.p, "a single step needs no correction"


def test_all_rows_of_a_recipe_share_their_deviation_and_sum_their_degrees_of_freedom():
    rows = measured()
    rows["row 7"][9] = 71.0  # a row in no pair, with a seed of its own
    del rows["row 2"][0]
    variances = [np.var(list(by_seed.values()), ddof=1) for by_seed in rows.values()]
    freedom = np.array([len(by_seed) - 1 for by_seed in rows.values()])
    assert list(freedom) == [3, 3, 2, 3, 3, 3, 3, 4]
    pooled = (variances * freedom).sum() / freedom.sum()
    for (after, before), step in zip(PAIRS, contrasts(rows, ONE_RECIPE, PAIRS), strict=True):
        a, b = list(rows[after].values()), list(rows[before].values())
        error = np.sqrt(pooled * (1 / len(a) + 1 / len(b)))
        t = (np.mean(a) - np.mean(b)) / error
        assert step.df == freedom.sum() and step.n == min(len(a), len(b))
        assert (step.difference, step.p) == pytest.approx((np.mean(a) - np.mean(b), 2 * stats.t.sf(abs(t), 24)))
        assert step.half == pytest.approx(stats.t.ppf(0.975, 24) * error)


def test_seeds_are_not_paired():
    rows = measured()
    shuffled = {name: dict(zip(by_seed, reversed(by_seed.values()), strict=True)) for name, by_seed in rows.items()}
    mixed = {name: (rows if i % 2 else shuffled)[name] for i, name in enumerate(ROWS)}
    for one, other in zip(contrasts(rows, ONE_RECIPE, PAIRS), contrasts(mixed, ONE_RECIPE, PAIRS), strict=True):
        assert (one.difference, one.p, one.half) == pytest.approx((other.difference, other.p, other.half))


def welch_of(rows, after, before):
    return stats.ttest_ind(list(rows[after].values()), list(rows[before].values()), equal_var=False)


def test_where_recipes_differ_the_test_is_welchs():
    rows = measured(row_0=3.0)
    found = by_name(contrasts(rows, ONE_RECIPE | {"row 0": "original"}, PAIRS))
    assert [step.welch for step in found.values()] == [True, *[False] * 5]
    expected = welch_of(rows, "row 1", "row 0")
    low, high = expected.confidence_interval(0.95)
    step = found["row 1"]
    assert (step.p, step.df, step.half) == pytest.approx((expected.pvalue, expected.df, (high - low) / 2))
    assert found["row 2"].df == 7 * 3, "the row of the other recipe is not in the pool"


@pytest.mark.parametrize("seeds", [3, 4, 10])
def test_a_row_of_huge_variance_is_tested_by_welch_and_left_out_of_the_pool(seeds):
    spreads = np.linspace(-1, 1, seeds)
    rows = {name: dict(enumerate(map(float, 70 + i + (1 + i / 10) * spreads))) for i, name in enumerate(ROWS)}
    rows["row 3"] = dict(enumerate(map(float, 70 + 25 * spreads)))
    found = by_name(contrasts(rows, ONE_RECIPE, PAIRS))
    assert [name for name, step in found.items() if step.welch] == ["row 3", "row 4"]
    expected = welch_of(rows, "row 4", "row 3")
    assert (found["row 4"].p, found["row 4"].df) == pytest.approx((expected.pvalue, expected.df))
    others = {name: by_seed for name, by_seed in rows.items() if name != "row 3"}
    (alone,) = contrasts(others, ONE_RECIPE, [("row 1", "row 0")])
    assert found["row 1"].half == pytest.approx(alone.half) and found["row 1"].df == 7 * (seeds - 1)
    values = np.array([list(by_seed.values()) for by_seed in rows.values()])
    within = spread(values, ["micro"] * 8)
    assert within.variance[3] == pytest.approx(values[3].var(ddof=1)) and within.df[3] == seeds - 1


@pytest.mark.parametrize(("scale", "departs"), [(1.0, False), (2.0, False), (8.0, True)])
def test_the_departure_of_a_variance_is_brown_forsythes(scale, departs):
    """One group of distances from the row's median against all others together, at 1 %."""
    values = np.random.default_rng(3).normal(size=(8, 6))
    values[5] = np.linspace(-1, 1, 6) * scale
    distances = np.abs(values - np.median(values, axis=1, keepdims=True))
    p = stats.f_oneway(distances[5], np.delete(distances, 5, axis=0).ravel()).pvalue
    assert (p < 0.01) == departs
    assert list(spread(values, ["micro"] * 8).departs) == [i == 5 and departs for i in range(8)]


def test_variances_of_two_seeds_are_not_tested():
    rows = measured(seeds=2)
    rows["row 3"] = {0: 0.0, 1: 100.0}
    assert not any(step.welch for step in contrasts(rows, ONE_RECIPE, PAIRS))


def test_holms_values_are_those_of_the_step_down_procedure():
    for p in RANDOM.beta(0.3, 1, (50, 7)):
        adjusted = holm(p)
        for level in (0.001, 0.05, 0.3):
            rejected = set()
            for i, which in enumerate(np.argsort(p)):
                if p[which] > level / (7 - i):
                    break
                rejected.add(which)
            assert set(np.flatnonzero(adjusted <= level)) == rejected


def test_a_step_without_a_p_value_counts_as_one_of_the_steps():
    rows = measured()
    rows["row 6"] = {}
    found = contrasts(rows, ONE_RECIPE, PAIRS)
    assert np.isnan([found[-1].p, found[-1].p_holm, found[-1].half, found[-1].smallest_effect]).all()
    least = min(found[:-1], key=lambda step: step.p)
    assert least.p_holm == pytest.approx(min(6 * least.p, 1.0))
    assert np.isnan(holm(np.array([np.nan, 0.01])))[0] and holm(np.array([np.nan, 0.01]))[1] == pytest.approx(0.02)


def test_one_seed_is_compared_by_the_spread_of_the_other_rows_and_no_spread_gives_nothing():
    rows = measured()
    rows["row 2"] = {0: 75.0}
    step = by_name(contrasts(rows, ONE_RECIPE, PAIRS))["row 2"]
    assert step.n == 1 and step.df == 7 * 3 and 0 < step.half < 10
    single = contrasts({name: {0: 70.0} for name in ROWS}, ONE_RECIPE, PAIRS)
    assert all(np.isnan([step.p, step.p_holm, step.half, step.df]).all() for step in single)
    nothing = contrasts({name: {} for name in ROWS}, ONE_RECIPE, PAIRS)
    assert all(np.isnan([step.difference, step.p]).all() for step in nothing)


def test_rows_without_any_spread():
    rows = {name: dict.fromkeys(range(3), 70.0 + (i == 1)) for i, name in enumerate(ROWS)}
    found = by_name(contrasts(rows, ONE_RECIPE | {"row 5": "original"}, PAIRS))
    assert (found["row 1"].p, found["row 1"].half) == (0.0, 0.0)
    assert found["row 4"].p == found["row 5"].p == 1.0 and found["row 5"].welch


def test_many_ladders_at_once_are_each_on_their_own():
    values = RANDOM.normal(70, 1, (5, 8, 3))
    values[2, 4] *= 3
    pairs = np.array([(i + 1, i) for i in range(7)])
    recipes = ["original", *["micro"] * 7]
    together = estimate(values, recipes, pairs)
    for i, ladder in enumerate(values):
        alone = estimate(ladder, recipes, pairs)
        for name in ("difference", "error", "df", "p", "welch"):
            assert np.array_equal(getattr(alone, name), getattr(together, name)[i])


def test_errors_name_the_row():
    with pytest.raises(AblationError, match="unknown row 'row 9'; did you mean"):
        contrasts(measured(), ONE_RECIPE, [("row 9", "row 0")])
    with pytest.raises(AblationError, match="row 'row 1' has accuracies and no recipe"):
        contrasts(measured(), {"row 0": "micro"}, PAIRS)
    assert contrasts(measured(), ONE_RECIPE, []) == []
