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
    variance = np.mean([np.var(list(by_seed.values()), ddof=1) for by_seed in accuracies.values()])
    # Each subset of the other steps stands before a step in so many of the 24 orders, by its size.
    weights_squared = 2 * sum(count * (orders / 24) ** 2 for count, orders in ((1, 6), (3, 2), (3, 2), (1, 6)))
    for step in STEPS:
        by_seed = []
        for seed in range(3):
            gains = []
            for order in itertools.permutations(STEPS):
                before = set(order[: order.index(step)])
                gains.append(noisy(before | {step}, seed) - noisy(before, seed))
            by_seed.append(sum(gains) / factorial(len(STEPS)))
        assert table.loc[step, "shapley_points"] == pytest.approx(np.mean(by_seed))
        error = np.sqrt(variance * weights_squared / 3)
        assert table.loc[step, "se_points"] == pytest.approx(error)
        assert table.loc[step, "half_points"] == pytest.approx(stats.t.ppf(0.975, 32) * error)
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
    assert set(table["orders"]) == {12} and set(table["n"]) == {2}
    total = np.mean([noisy(set(STEPS), seed) - noisy(set(), seed) for seed in (0, 2)])
    assert table["shapley_points"].sum() == pytest.approx(total)
    accuracies = synthetic(ORDERINGS, noisy)
    del accuracies[failed][1]
    assert 0 < 3 * affected < 12, "omitting these orders loses less than omitting the seed"
    assert set(shapley(ORDERINGS, accuracies)["orders"]) == {12 - affected}


def test_intervals_from_orders_have_the_degrees_of_freedom_of_what_varies():
    def degrees(table, df):
        return list(table["half_points"]) == pytest.approx(list(stats.t.ppf(0.975, df) * table["se_points"]))

    assert degrees(shapley(ORDERINGS, synthetic(ORDERINGS, noisy, seeds=1)), len(ORDERINGS.orders) - 1)
    one = designs.orderings(STEPS, count=1)
    assert degrees(shapley(one, synthetic(one, noisy)), 2)
    only_seeds = synthetic(ORDERINGS, lambda taken, seed: 70 + len(taken) * [0.0, 1.0, 5.0][seed])
    assert degrees(shapley(ORDERINGS, only_seeds), 2), "contributions that no order changes vary over three seeds"
    assert shapley(one, synthetic(one, noisy, seeds=1))["half_points"].isna().all()


def test_intervals_from_orders_cover_the_exact_value():
    """Contributions that vary with the seed and with the set of steps before; the exact values are the steps' own numbers."""
    generator, covered, total = np.random.default_rng(11), 0, 0
    gains = dict(zip(STEPS, (1.0, -2.0, 0.0, 3.0), strict=True))
    for repeat in range(150):
        design = designs.orderings(STEPS, count=8, seed=repeat)
        of_seed = generator.normal(0, 1.0, (3, len(STEPS)))
        accuracies = {
            point.name: {
                seed: 70
                + sum(gains[step] + of_seed[seed, STEPS.index(step)] for step in point.steps)
                + 2.0 * ({"depthwise", "gelu"} <= set(point.steps))
                for seed in range(3)
            }
            for point in design
        }
        exact = gains | {"depthwise": gains["depthwise"] + 1, "gelu": gains["gelu"] + 1}
        table = shapley(design, accuracies).set_index("step")
        for step in STEPS:
            off = abs(table.loc[step, "shapley_points"] - exact[step])
            covered, total = covered + (off <= table.loc[step, "half_points"]), total + 1
    assert 0.92 < covered / total < 0.985
