"""Shapley values, exact and from random orders, checked against their definition."""

import itertools
from math import factorial

import numpy as np
import pytest
from scipy import stats

from ablation.evidence.shapley import shapley
from ablation.study import designs
from tests.evidence.synthetic import FACTORIAL, ORDERINGS, STEPS, column, noisy, synthetic


def test_exact_shapley_values_are_the_mean_over_all_orders():
    accuracies = synthetic(FACTORIAL, noisy)
    table = shapley(FACTORIAL, accuracies).set_index("step")
    for step in STEPS:
        by_seed = []
        for seed in range(3):
            gains = []
            for order in itertools.permutations(STEPS):
                before = set(order[: order.index(step)])
                gains.append(noisy(before | {step}, seed) - noisy(before, seed))
            by_seed.append(sum(gains) / factorial(len(STEPS)))
        assert table.loc[step, "shapley_points"] == pytest.approx(np.mean(by_seed))
        assert table.loc[step, "se_points"] == pytest.approx(stats.sem(by_seed))
    assert list(table["orders"]) == [0] * 4


@pytest.mark.parametrize("design", [FACTORIAL, ORDERINGS], ids=["exact", "orders"])
def test_shapley_values_add_up_and_are_zero_for_a_step_without_effect(design):
    accuracies = synthetic(design, noisy)
    total = np.mean([noisy(set(STEPS), seed) - noisy(set(), seed) for seed in range(3)])
    assert shapley(design, accuracies)["shapley_points"].sum() == pytest.approx(total)
    without_gelu = synthetic(design, lambda taken, seed: noisy(taken - {"gelu"}, seed))
    table = shapley(design, without_gelu).set_index("step")
    assert table.loc["gelu", "shapley_points"] == pytest.approx(0, abs=1e-9)
    assert table.loc["depthwise", "shapley_points"] != pytest.approx(0, abs=0.01)


def test_steps_with_equal_effects_have_equal_shapley_values():
    equal = {"depthwise", "gelu"}
    accuracies = synthetic(FACTORIAL, lambda taken, seed: noisy(taken - equal, seed) + len(taken & equal) ** 2)
    values = shapley(FACTORIAL, accuracies).set_index("step")["shapley_points"]
    assert values["depthwise"] == pytest.approx(values["gelu"]) and values["gelu"] == pytest.approx(2.0)


@pytest.mark.parametrize("seed", range(5))
def test_random_orders_approximate_the_exact_values(seed):
    exact = shapley(FACTORIAL, synthetic(FACTORIAL, noisy)).set_index("step")["shapley_points"]
    errors = []
    for count in (20, 500):
        design = designs.orderings(STEPS, count=count, seed=seed)
        table = shapley(design, synthetic(design, noisy)).set_index("step")
        assert ((table["shapley_points"] - exact).abs() < 3 * table["se_points"]).all()
        assert list(table["orders"]) == [count] * 4
        errors.append((table["shapley_points"] - exact).abs().max())
    assert errors[1] < 0.3, "for accuracies with a standard deviation of 3 points"


def test_the_standard_error_matches_the_spread_of_estimates():
    """Over many studies with independent orders and seeds, the mean error must match the spread of the estimates."""
    generator = np.random.default_rng(0)
    effects = {point.steps: generator.normal(0, 2) for point in FACTORIAL}
    step_noise = 1.0  # of a step's effect between seeds: shared by all orders, so more orders do not reduce it
    estimates, errors = [], []
    for study in range(400):
        design = designs.orderings(STEPS, count=4, seed=study)
        by_seed = generator.normal(0, step_noise, (4, len(STEPS)))
        accuracies = {
            point.name: {
                seed: effects[point.steps] + sum(by_seed[seed][STEPS.index(step)] for step in point.steps)
                for seed in range(4)
            }
            for point in design
        }
        table = shapley(design, accuracies)
        estimates.append(table["shapley_points"])
        errors.append(table["se_points"] ** 2)
    assert np.sqrt(np.mean(errors, 0)) == pytest.approx(np.std(estimates, axis=0), rel=0.12)


def test_with_one_seed_or_one_order_the_error_is_that_of_the_other():
    one_seed = shapley(ORDERINGS, synthetic(ORDERINGS, noisy, seeds=1)).set_index("step")
    gains = {step: [] for step in STEPS}
    for order in ORDERINGS.orders:
        for i, step in enumerate(order):
            gains[step].append(noisy(set(order[: i + 1]), 0) - noisy(set(order[:i]), 0))
    assert column(one_seed.reset_index(), "se_points") == pytest.approx(
        {step: stats.sem(gains[step]) for step in STEPS}
    )
    one = designs.orderings(STEPS, count=1)
    table = shapley(one, synthetic(one, noisy)).set_index("step")
    first = one.orders[0][0]
    assert table.loc[first, "se_points"] == pytest.approx(
        stats.sem([noisy({first}, seed) - noisy(set(), seed) for seed in range(3)])
    )
    neither = shapley(one, synthetic(one, noisy, seeds=1))
    assert neither["se_points"].isna().all() and neither["shapley_points"].notna().all()
    exact = shapley(FACTORIAL, synthetic(FACTORIAL, noisy, seeds=1))
    assert exact["se_points"].isna().all() and exact["shapley_points"].notna().all()


def test_orders_or_seeds_with_a_failed_trial_are_omitted_whichever_keeps_more():
    accuracies = synthetic(ORDERINGS, noisy)
    failed = " + ".join(step for step in STEPS if step in ORDERINGS.orders[0][:2])
    affected = sum({*order[:2]} == {*ORDERINGS.orders[0][:2]} for order in ORDERINGS.orders)
    del accuracies[failed]
    table = shapley(ORDERINGS, accuracies)
    assert 0 < affected < 12 and set(table["orders"]) == {12 - affected} and set(table["n"]) == {3}
    kept = [order for order in ORDERINGS.orders if {*order[:2]} != {*ORDERINGS.orders[0][:2]}]
    gains = [noisy({*o[: o.index("gelu") + 1]}, s) - noisy({*o[: o.index("gelu")]}, s) for o in kept for s in range(3)]
    assert column(table, "shapley_points")["gelu"] == pytest.approx(np.mean(gains))
    accuracies = synthetic(ORDERINGS, noisy)
    del accuracies["end"][1]
    table = shapley(ORDERINGS, accuracies)
    assert set(table["orders"]) == {12} and set(table["seeds"]) == {"0 2"}
    total = np.mean([noisy(set(STEPS), seed) - noisy(set(), seed) for seed in (0, 2)])
    assert table["shapley_points"].sum() == pytest.approx(total)
    accuracies = synthetic(ORDERINGS, noisy)
    del accuracies[failed][1]
    assert 0 < 3 * affected < 12, "omitting these orders loses less than omitting the seed"
    assert set(shapley(ORDERINGS, accuracies)["orders"]) == {12 - affected}
