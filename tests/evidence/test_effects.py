"""Effects, against synthetic accuracies whose effects are known."""

import itertools
import random
import time
from math import factorial

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablation import AblationError, Outcome
from ablation.evidence import effects
from ablation.evidence.intervals import mean_interval, paired_difference
from ablation.study import designs

STEPS = ("patchify_stem", "depthwise", "gelu", "layer_norm")
WORTH = {"patchify_stem": 0.5, "depthwise": -1.25, "gelu": 0.0, "layer_norm": 2.0}
FACTORIAL = designs.factorial(STEPS)
ORDERINGS = designs.orderings(STEPS, count=12, seed=1)
LEAVE_ONE_OUT, ONE_AT_A_TIME = designs.leave_one_out(STEPS), designs.one_at_a_time(STEPS)


def measured(design, worth, seeds=3):
    """Accuracies of every point and seed, by a function of the set of steps and the seed."""
    return {point.name: {seed: worth(set(point.steps), seed) for seed in range(seeds)} for point in design}


def additive(taken, seed):
    return 70.0 + 10 * seed + sum(WORTH[step] for step in taken)


def noisy(taken, seed):
    """Any numbers at all, always the same for the same set and seed."""
    return 70.0 + random.Random(f"{sorted(taken)} {seed}").gauss(0, 3)


def column(table, name, key="step"):
    return dict(zip(table[key], table[name], strict=True))


@pytest.mark.parametrize(
    ("effect", "design", "name"),
    [
        (effects.main_effects, FACTORIAL, "effect_points"),
        (effects.leave_one_out, FACTORIAL, "effect_points"),
        (effects.leave_one_out, LEAVE_ONE_OUT, "effect_points"),
        (effects.one_at_a_time, FACTORIAL, "effect_points"),
        (effects.one_at_a_time, ONE_AT_A_TIME, "effect_points"),
        (effects.shapley, FACTORIAL, "shapley_points"),
        (effects.shapley, ORDERINGS, "shapley_points"),
    ],
)
def test_what_adds_up_has_its_own_terms_as_effects(effect, design, name):
    """The seeds are 10 points apart: only what is paired by seed finds the same effect in each, and no doubt about it."""
    table = effect(design, measured(design, additive))
    assert tuple(table["step"]) == STEPS
    assert column(table, name) == pytest.approx(WORTH, abs=1e-9)
    assert list(table["n"]) == [3] * 4 and list(table["seeds"]) == ["0 1 2"] * 4
    doubt = table["se_points" if "se_points" in table else "half_points"]
    assert list(doubt) == pytest.approx([0] * 4, abs=1e-9)


def test_what_adds_up_has_no_interactions():
    table = effects.interactions(FACTORIAL, measured(FACTORIAL, additive))
    assert list(zip(table["step"], table["other"], strict=True)) == list(itertools.combinations(STEPS, 2))
    assert list(table["interaction_points"]) == pytest.approx([0] * 6, abs=1e-9)
    assert effects.interactions(designs.factorial(["gelu"]), {}).empty


def test_a_product_of_two_steps_has_its_known_effects():
    accuracies = measured(FACTORIAL, lambda taken, seed: 50.0 + seed + 6.0 * ({"depthwise", "gelu"} <= taken))
    halves = {"patchify_stem": 0, "depthwise": 3, "gelu": 3, "layer_norm": 0}
    assert column(effects.main_effects(FACTORIAL, accuracies), "effect_points") == pytest.approx(halves, abs=1e-9)
    assert column(effects.shapley(FACTORIAL, accuracies), "shapley_points") == pytest.approx(halves, abs=1e-9)
    at_the_end = {"patchify_stem": 0, "depthwise": 6, "gelu": 6, "layer_norm": 0}
    assert column(effects.leave_one_out(FACTORIAL, accuracies), "effect_points") == pytest.approx(at_the_end)
    alone = dict.fromkeys(STEPS, 0)
    assert column(effects.one_at_a_time(FACTORIAL, accuracies), "effect_points") == pytest.approx(alone)
    table = effects.interactions(FACTORIAL, accuracies).set_index(["step", "other"])["interaction_points"]
    assert table.loc["depthwise", "gelu"] == pytest.approx(6.0)
    assert list(table.drop(("depthwise", "gelu"))) == pytest.approx([0] * 5, abs=1e-9)


def mean_of(seed, **wanted):
    """Mean accuracy over the sets that take the steps that are True and none of those that are False."""
    found = [point.steps for point in FACTORIAL if all((s in point.steps) == has for s, has in wanted.items())]
    return np.mean([noisy(set(taken), seed) for taken in found])


def test_main_effects_and_interactions_by_their_definition():
    accuracies = measured(FACTORIAL, noisy)
    for row in effects.main_effects(FACTORIAL, accuracies).to_dict("records"):
        step = row["step"]
        by_seed = [mean_of(seed, **{step: True}) - mean_of(seed, **{step: False}) for seed in range(3)]
        assert (row["effect_points"], row["half_points"]) == pytest.approx(t_interval(by_seed))
    for row in effects.interactions(FACTORIAL, accuracies).to_dict("records"):
        a, b = row["step"], row["other"]
        by_seed = []
        for seed in range(3):
            with_b = mean_of(seed, **{a: True, b: True}) - mean_of(seed, **{a: False, b: True})
            without_b = mean_of(seed, **{a: True, b: False}) - mean_of(seed, **{a: False, b: False})
            by_seed.append(with_b - without_b)
        assert (row["interaction_points"], row["half_points"]) == pytest.approx(t_interval(by_seed))


def t_interval(values):
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    return (low + high) / 2, (high - low) / 2


def test_exact_shapley_values_are_the_mean_over_all_orders():
    accuracies = measured(FACTORIAL, noisy)
    table = effects.shapley(FACTORIAL, accuracies).set_index("step")
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
def test_shapley_values_add_up_and_ignore_a_step_that_does_nothing(design):
    whole = measured(design, noisy)
    total = np.mean([noisy(set(STEPS), seed) - noisy(set(), seed) for seed in range(3)])
    assert effects.shapley(design, whole)["shapley_points"].sum() == pytest.approx(total)
    idle = measured(design, lambda taken, seed: noisy(taken - {"gelu"}, seed))
    table = effects.shapley(design, idle).set_index("step")
    assert table.loc["gelu", "shapley_points"] == pytest.approx(0, abs=1e-9)
    assert table.loc["depthwise", "shapley_points"] != pytest.approx(0, abs=0.01)


def test_steps_that_do_the_same_have_the_same_shapley_value():
    same = {"depthwise": "gelu"}
    table = effects.shapley(
        FACTORIAL,
        measured(
            FACTORIAL,
            lambda taken, seed: noisy(taken - {*same, *same.values()}, seed) + len(taken & {"depthwise", "gelu"}) ** 2,
        ),
    ).set_index("step")
    values = table["shapley_points"]
    assert values["depthwise"] == pytest.approx(values["gelu"]) and values["gelu"] == pytest.approx(2.0)


@pytest.mark.parametrize("seed", range(5))
def test_random_orders_come_close_to_the_exact_values(seed):
    exact = effects.shapley(FACTORIAL, measured(FACTORIAL, noisy)).set_index("step")["shapley_points"]
    errors = []
    for count in (20, 500):
        design = designs.orderings(STEPS, count=count, seed=seed)
        table = effects.shapley(design, measured(design, noisy)).set_index("step")
        assert ((table["shapley_points"] - exact).abs() < 3 * table["se_points"]).all()
        assert list(table["orders"]) == [count] * 4
        errors.append((table["shapley_points"] - exact).abs().max())
    assert errors[1] < 0.3, "of accuracies that scatter by 3 points"


def test_the_standard_error_is_how_far_estimates_scatter():
    """Over many studies, each with orders and seeds of its own; the error of each study must fit the spread of all."""
    generator = np.random.default_rng(0)
    worth = {point.steps: generator.normal(0, 2) for point in FACTORIAL}
    step_noise = 1.0  # of a step's worth from seed to seed: shared by all orders, so more orders do not help
    found, errors = [], []
    for study in range(400):
        design = designs.orderings(STEPS, count=4, seed=study)
        by_seed = generator.normal(0, step_noise, (4, len(STEPS)))
        accuracies = {
            point.name: {
                seed: worth[point.steps] + sum(by_seed[seed][STEPS.index(step)] for step in point.steps)
                for seed in range(4)
            }
            for point in design
        }
        table = effects.shapley(design, accuracies)
        found.append(table["shapley_points"])
        errors.append(table["se_points"] ** 2)
    assert np.sqrt(np.mean(errors, 0)) == pytest.approx(np.std(found, axis=0), rel=0.12)


def test_one_seed_or_one_order_leaves_an_error_of_the_other():
    one_seed = effects.shapley(ORDERINGS, measured(ORDERINGS, noisy, seeds=1)).set_index("step")
    gains = {step: [] for step in STEPS}
    for order in ORDERINGS.orders:
        for i, step in enumerate(order):
            gains[step].append(noisy(set(order[: i + 1]), 0) - noisy(set(order[:i]), 0))
    assert column(one_seed.reset_index(), "se_points") == pytest.approx(
        {step: stats.sem(gains[step]) for step in STEPS}
    )
    one = designs.orderings(STEPS, count=1)
    table = effects.shapley(one, measured(one, noisy)).set_index("step")
    first = one.orders[0][0]
    assert table.loc[first, "se_points"] == pytest.approx(
        stats.sem([noisy({first}, seed) - noisy(set(), seed) for seed in range(3)])
    )
    neither = effects.shapley(one, measured(one, noisy, seeds=1))
    assert neither["se_points"].isna().all() and neither["shapley_points"].notna().all()
    exact = effects.shapley(FACTORIAL, measured(FACTORIAL, noisy, seeds=1))
    assert exact["se_points"].isna().all() and exact["shapley_points"].notna().all()


def test_points_by_themselves():
    accuracies = measured(ONE_AT_A_TIME, noisy, seeds=5)
    del accuracies["gelu"][1], accuracies["depthwise"]
    accuracies["layer_norm"] = {4: 81.5}
    table = effects.summary(ONE_AT_A_TIME, accuracies).set_index("point")
    for name, by_seed in accuracies.items():
        values, row = [by_seed[seed] for seed in sorted(by_seed)], table.loc[name]
        assert row["accuracy_percent"] == pytest.approx(np.mean(values)) and row["n"] == len(values)
        if len(values) > 1:
            assert row["std_points"] == pytest.approx(np.std(values, ddof=1))
            assert (row["accuracy_percent"], row["half_points"]) == pytest.approx(t_interval(values))
            assert row["half_points"] == pytest.approx(mean_interval(values).half)
    assert table.loc["gelu", "seeds"] == "0 2 3 4" and table.loc["depthwise", "seeds"] == ""
    assert np.isnan(table.loc["layer_norm", ["std_points", "half_points"]].to_numpy(float)).all()
    assert table.loc["depthwise", "n"] == 0 and np.isnan(table.loc["depthwise", "accuracy_percent"])


def test_differences_are_paired_by_seed():
    ladder = designs.ladder()
    accuracies = {point.name: {seed: noisy({point.name}, seed) for seed in range(4)} for point in ladder}
    del accuracies["gelu"][2], accuracies["kernel_size_7"][0]
    table = effects.differences(ladder, accuracies)
    assert list(table["after"]) == [point.name for point in ladder if point.previous]
    for row in table.to_dict("records"):
        wanted = paired_difference(accuracies[row["after"]], accuracies[row["before"]])
        assert (row["difference_points"], row["half_points"]) == pytest.approx((wanted.mean, wanted.half))
    assert table.set_index("after").loc["gelu", ["before", "n", "seeds"]].tolist() == ["kernel_size_7", 2, "1 3"]
    own = effects.differences(ladder, accuracies, [("gelu", "depthwise")])
    assert own["difference_points"][0] == pytest.approx(
        paired_difference(accuracies["gelu"], accuracies["depthwise"]).mean
    )
    with pytest.raises(AblationError, match="'gleu' is no point of design 'ladder'"):
        effects.differences(ladder, accuracies, [("gleu", "depthwise")])


def test_a_failed_trial_takes_its_seed_out_of_every_row_that_needs_it():
    accuracies = measured(LEAVE_ONE_OUT, additive)
    del accuracies["without gelu"][1]
    table = effects.leave_one_out(LEAVE_ONE_OUT, accuracies).set_index("step")
    assert column(table.reset_index(), "effect_points") == pytest.approx(WORTH, abs=1e-9)
    assert column(table.reset_index(), "n") == {"patchify_stem": 3, "depthwise": 3, "gelu": 2, "layer_norm": 3}
    assert table.loc["gelu", "seeds"] == "0 2"
    whole = measured(FACTORIAL, noisy)
    without = {name: {seed: by_seed[seed] for seed in (0, 2)} for name, by_seed in whole.items()}
    broken = {name: dict(by_seed) for name, by_seed in whole.items()}
    del broken["depthwise"][1]
    for effect in (effects.main_effects, effects.interactions, effects.shapley):
        table = effect(FACTORIAL, broken)
        pd.testing.assert_frame_equal(table, effect(FACTORIAL, without))
        assert set(table["n"]) == {2} and set(table["seeds"]) == {"0 2"}


def test_a_network_that_never_trained_leaves_rows_without_numbers():
    for design in (FACTORIAL, ORDERINGS):
        accuracies = measured(design, noisy)
        del accuracies["end"]
        for title, table in effects.tables(design, accuracies).items():
            if title in ("main effects", "interactions", "Shapley values", "leave-one-out"):
                assert set(table["n"]) == {0} and set(table["seeds"]) == {""}, title
                assert table.filter(like="_points").isna().all(axis=None), title
    assert effects.summary(FACTORIAL, {})["n"].sum() == 0


def test_orders_with_a_failed_trial_are_left_out_where_that_keeps_more():
    accuracies = measured(ORDERINGS, noisy)
    hit = " + ".join(step for step in STEPS if step in ORDERINGS.orders[0][:2])
    touched = sum({*order[:2]} == {*ORDERINGS.orders[0][:2]} for order in ORDERINGS.orders)
    del accuracies[hit]
    table = effects.shapley(ORDERINGS, accuracies)
    assert 0 < touched < 12 and set(table["orders"]) == {12 - touched} and set(table["n"]) == {3}
    kept = [order for order in ORDERINGS.orders if {*order[:2]} != {*ORDERINGS.orders[0][:2]}]
    gains = [noisy({*o[: o.index("gelu") + 1]}, s) - noisy({*o[: o.index("gelu")]}, s) for o in kept for s in range(3)]
    assert column(table, "shapley_points")["gelu"] == pytest.approx(np.mean(gains))
    accuracies = measured(ORDERINGS, noisy)
    del accuracies["end"][1]
    table = effects.shapley(ORDERINGS, accuracies)
    assert set(table["orders"]) == {12} and set(table["seeds"]) == {"0 2"}
    total = np.mean([noisy(set(STEPS), seed) - noisy(set(), seed) for seed in (0, 2)])
    assert table["shapley_points"].sum() == pytest.approx(total)
    accuracies = measured(ORDERINGS, noisy)
    del accuracies[hit][1]
    assert 0 < 3 * touched < 12, "so that leaving out these orders costs less than leaving out the seed"
    assert set(effects.shapley(ORDERINGS, accuracies)["orders"]) == {12 - touched}


def test_seeds_are_named_in_order():
    accuracies = {"end": {16: 80.0, 9: 81.0, 8: 82.0, 0: 83.0}}
    assert effects.summary(FACTORIAL, accuracies).set_index("point").loc["end", "seeds"] == "0 8 9 16"


@pytest.mark.parametrize("design", [FACTORIAL, ORDERINGS, LEAVE_ONE_OUT, ONE_AT_A_TIME, designs.ladder()])
def test_the_order_of_the_input_changes_nothing(design):
    accuracies = measured(design, noisy, seeds=4)
    del accuracies[design.points[1].name][2]
    shuffled = [(name, list(by_seed.items())) for name, by_seed in accuracies.items()]
    random.Random(0).shuffle(shuffled)
    other = {name: dict(reversed(by_seed)) for name, by_seed in shuffled}
    assert list(other) != list(accuracies)
    ours, theirs = effects.tables(design, accuracies), effects.tables(design, other)
    assert list(ours) == list(theirs)
    for title, table in ours.items():
        pd.testing.assert_frame_equal(table, theirs[title], check_exact=True)


def test_each_design_has_its_tables():
    shapley, both = "Shapley values", ["leave-one-out", "one-at-a-time"]
    wanted = {
        "ladder": ["points", "differences"],
        "leave-one-out": ["points", both[0]],
        "one-at-a-time": ["points", both[1]],
        "factorial": ["points", *both, "main effects", "interactions", shapley],
        "orderings": ["points", shapley],
    }
    assert set(wanted) == set(designs.DESIGNS)
    for name, titles in wanted.items():
        assert list(effects.tables(designs.design(name, None if name == "ladder" else STEPS), {})) == titles


def test_what_a_design_cannot_answer_is_said():
    for effect in (effects.main_effects, effects.interactions, effects.shapley):
        with pytest.raises(AblationError, match="design 'leave-one-out' is no full factorial"):
            effect(LEAVE_ONE_OUT, measured(LEAVE_ONE_OUT, noisy))
    with pytest.raises(
        AblationError, match="design 'one-at-a-time' has no point that takes patchify_stem \\+ depthwise"
    ):
        effects.leave_one_out(ONE_AT_A_TIME, {})
    with pytest.raises(AblationError, match="'gleu', which is no point of design 'factorial'"):
        effects.summary(FACTORIAL, {"gleu": {0: 1.0}})


def test_ten_thousand_outcomes_are_analysed_at_once():
    design = designs.factorial(designs.default_steps()[:10], "resnet50", 8, 1)
    runs = designs.trials(design, "micro", "digits", range(10))
    assert len(runs) == 10_240
    outcomes = {
        trial: Outcome("done", noisy(set(point.steps), trial.seed), 0.5, (1.0,), 355, 1000, 3.0, 100.0, {})
        for trial, point in runs.items()
    }
    started = time.process_time()
    found = effects.tables(design, designs.accuracies(design, "micro", "digits", outcomes))
    assert time.process_time() - started < 2
    assert len(found["points"]) == 1024 and len(found["interactions"]) == 45
    assert all(set(table["n"]) == {10} for table in found.values())
