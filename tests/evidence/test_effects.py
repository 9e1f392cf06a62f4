"""Effects, checked on synthetic accuracies with known effects."""

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
from ablation.evidence.accuracies import accuracies
from ablation.evidence.intervals import mean_interval
from ablation.study import designs
from tests.evidence.synthetic import (
    EFFECTS,
    FACTORIAL,
    LEAVE_ONE_OUT,
    ONE_AT_A_TIME,
    ORDERINGS,
    STEPS,
    additive,
    column,
    noisy,
    synthetic,
    t_interval,
)

SHAPLEY_SQUARES = (
    2
    * sum(  # sum of the squared weights: of each subset of the other three steps, with the step and without
        (factorial(len(subset)) * factorial(3 - len(subset)) / factorial(4)) ** 2
        for size in range(4)
        for subset in itertools.combinations(range(3), size)
    )
)


@pytest.mark.parametrize(
    ("effect", "design", "name", "squares"),
    [
        (effects.main_effects, FACTORIAL, "effect_points", 16 / 8**2),
        (effects.leave_one_out, FACTORIAL, "effect_points", 2),
        (effects.leave_one_out, LEAVE_ONE_OUT, "effect_points", 2),
        (effects.one_at_a_time, FACTORIAL, "effect_points", 2),
        (effects.one_at_a_time, ONE_AT_A_TIME, "effect_points", 2),
        (effects.shapley, FACTORIAL, "shapley_points", SHAPLEY_SQUARES),
    ],
)
def test_effects_of_additive_accuracies_are_their_terms(effect, design, name, squares):
    """Three seeds 10 points apart leave each point a standard deviation of 10, whichever effect is asked for."""
    table = effect(design, synthetic(design, additive))
    assert tuple(table["step"]) == STEPS
    assert column(table, name) == pytest.approx(EFFECTS, abs=1e-9)
    error, df = 10 * np.sqrt(squares / 3), 2 * len(design)
    assert list(table["n"]) == [3] * 4 and list(table["df"]) == pytest.approx([df] * 4)
    assert list(table["half_points"]) == pytest.approx([stats.t.ppf(0.975, df) * error] * 4)
    p = [2 * stats.t.sf(abs(EFFECTS[step]) / error, df) for step in STEPS]
    assert list(table["p"]) == pytest.approx(p) and list(table["p_holm"]) == [1.0] * 4
    found = stats.nct.sf(stats.t.ppf(1 - 0.025 / 4, df), df, np.array(table["smallest_effect"]) / error)
    assert found == pytest.approx([0.8] * 4, abs=1e-5)


def test_contributions_in_random_orders_are_free_of_what_a_seed_adds_to_all():
    table = effects.shapley(ORDERINGS, synthetic(ORDERINGS, additive))
    assert column(table, "shapley_points") == pytest.approx(EFFECTS, abs=1e-9)
    assert list(table["n"]) == [3] * 4 and list(table["se_points"]) == pytest.approx([0] * 4, abs=1e-9)


def test_additive_accuracies_have_no_interactions():
    table = effects.interactions(FACTORIAL, synthetic(FACTORIAL, additive))
    assert list(zip(table["step"], table["other"], strict=True)) == list(itertools.combinations(STEPS, 2))
    assert list(table["interaction_points"]) == pytest.approx([0] * 6, abs=1e-9)
    assert effects.interactions(designs.factorial(["gelu"]), {}).empty


def test_effects_of_a_product_of_two_steps():
    accuracies = synthetic(FACTORIAL, lambda taken, seed: 50.0 + seed + 6.0 * ({"depthwise", "gelu"} <= taken))
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


def mean_accuracy(seed, **required):
    """Return the mean accuracy of the points with the steps that are True and without those that are False."""
    chosen = [point.steps for point in FACTORIAL if all((s in point.steps) == has for s, has in required.items())]
    return np.mean([noisy(set(taken), seed) for taken in chosen])


def pooled(accuracies):
    """Return the standard deviation within points and its degrees of freedom."""
    of_points = [np.array(list(by_seed.values())) for by_seed in accuracies.values()]
    df = sum(len(values) - 1 for values in of_points)
    return np.sqrt(sum(((values - values.mean()) ** 2).sum() for values in of_points) / df), df


def test_main_effects_and_interactions_match_their_definitions():
    accuracies = synthetic(FACTORIAL, noisy)
    std, df = pooled(accuracies)
    for row in effects.main_effects(FACTORIAL, accuracies).to_dict("records"):
        step = row["step"]
        by_seed = [mean_accuracy(seed, **{step: True}) - mean_accuracy(seed, **{step: False}) for seed in range(3)]
        half = stats.t.ppf(0.975, df) * std * np.sqrt(2 / 8 / 3)
        assert (row["effect_points"], row["half_points"]) == pytest.approx((np.mean(by_seed), half))
    for row in effects.interactions(FACTORIAL, accuracies).to_dict("records"):
        a, b = row["step"], row["other"]
        by_seed = []
        for seed in range(3):
            with_b = mean_accuracy(seed, **{a: True, b: True}) - mean_accuracy(seed, **{a: False, b: True})
            without_b = mean_accuracy(seed, **{a: True, b: False}) - mean_accuracy(seed, **{a: False, b: False})
            by_seed.append(with_b - without_b)
        half = stats.t.ppf(0.975, df) * std * np.sqrt(4 / 4 / 3)
        assert (row["interaction_points"], row["half_points"]) == pytest.approx((np.mean(by_seed), half))


def test_summary_of_points():
    accuracies = synthetic(ONE_AT_A_TIME, noisy, seeds=5)
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


def test_differences_have_the_pooled_deviation_and_are_not_paired_by_seed():
    accuracies = synthetic(ONE_AT_A_TIME, noisy, seeds=4)
    del accuracies["gelu"][2], accuracies["start"][0]
    table = effects.differences(ONE_AT_A_TIME, accuracies)
    assert list(table["after"]) == [point.name for point in ONE_AT_A_TIME if point.previous]
    std, df = pooled(accuracies)
    for row in table.to_dict("records"):
        after, before = (list(accuracies[row[name]].values()) for name in ("after", "before"))
        half = stats.t.ppf(0.975, df) * std * np.sqrt(1 / len(after) + 1 / len(before))
        assert (row["difference_points"], row["half_points"]) == pytest.approx((np.mean(after) - np.mean(before), half))
    assert table.set_index("after").loc["gelu", ["before", "n", "test"]].tolist() == ["start", 3, "pooled"]
    (custom,) = effects.differences(ONE_AT_A_TIME, accuracies, [("gelu", "depthwise")])["difference_points"]
    assert custom == pytest.approx(
        np.mean(list(accuracies["gelu"].values())) - np.mean(list(accuracies["depthwise"].values()))
    )
    with pytest.raises(AblationError, match="'gleu' is not a point of design 'one-at-a-time'"):
        effects.differences(ONE_AT_A_TIME, accuracies, [("gleu", "depthwise")])


def test_a_missing_trial_leaves_its_point_with_fewer_seeds():
    accuracies = synthetic(LEAVE_ONE_OUT, noisy)
    full = effects.leave_one_out(LEAVE_ONE_OUT, accuracies).set_index("step")
    del accuracies["without gelu"][1]
    table = effects.leave_one_out(LEAVE_ONE_OUT, accuracies).set_index("step")
    assert list(table["n"]) == [3, 3, 2, 3]
    changed = full["effect_points"] != table["effect_points"]
    assert list(table.index[changed]) == ["gelu"]
    end, without = (list(accuracies[name].values()) for name in ("end", "without gelu"))
    assert table.loc["gelu", "effect_points"] == pytest.approx(np.mean(end) - np.mean(without))
    accuracies = synthetic(FACTORIAL, noisy)
    del accuracies["depthwise"][1]
    means = {point.steps: np.mean(list(accuracies[point.name].values())) for point in FACTORIAL}
    for row in effects.main_effects(FACTORIAL, accuracies).to_dict("records"):
        with_step = [mean for steps, mean in means.items() if row["step"] in steps]
        without_step = [mean for steps, mean in means.items() if row["step"] not in steps]
        assert row["effect_points"] == pytest.approx(np.mean(with_step) - np.mean(without_step))
        assert (row["n"], row["df"]) == (2, pytest.approx(31))
    values = effects.shapley(FACTORIAL, accuracies)
    total = np.mean(list(accuracies["end"].values())) - np.mean(list(accuracies["start"].values()))
    assert values["shapley_points"].sum() == pytest.approx(total) and set(values["n"]) == {2}


def test_points_that_are_one_network_differ_by_nothing_and_count_once():
    """Two kernel steps in turn: the second replaces the first, so two of four points are one network."""
    design = designs.factorial(("kernel_size=5", "kernel_size=7"))
    shared = {seed: 70.0 + seed for seed in range(3)}
    accuracies = {point.name: shared if "kernel_size=7" in point.steps else {} for point in design}
    accuracies |= {"start": {0: 60.0, 1: 64.0, 2: 61.0}, "kernel_size=5": {0: 65.0, 1: 66.0, 2: 66.0}}
    assert len({point.architecture for point in design}) == 3
    table = effects.leave_one_out(design, accuracies).set_index("step")
    assert table.loc["kernel_size=5", ["effect_points", "half_points", "n"]].tolist() == [0, 0, 3]
    assert np.isnan(table.loc["kernel_size=5", "p"]) and table.loc["kernel_size=7", "df"] == 6
    assert table.loc["kernel_size=7", "p_holm"] == table.loc["kernel_size=7", "p"], "one difference is tested, not two"
    main = effects.main_effects(design, accuracies).set_index("step")
    assert main.loc["kernel_size=5", "effect_points"] == pytest.approx((65 + 2 / 3 - 61 - 2 / 3) / 2)
    std, df = pooled({name: accuracies[name] for name in ("start", "kernel_size=5", "end")})
    half = stats.t.ppf(0.975, df) * std * np.sqrt((0.5**2 + 0.5**2) / 3)
    assert (df, main.loc["kernel_size=5", "half_points"]) == (6, pytest.approx(half))


def test_a_point_without_trials_gives_rows_of_nan():
    for design in (FACTORIAL, ORDERINGS):
        accuracies = synthetic(design, noisy)
        del accuracies["end"]
        for title, table in effects.tables(design, accuracies).items():
            if title in ("main effects", "interactions", "Shapley values", "leave-one-out"):
                assert set(table["n"]) == {0}, title
                assert table.filter(like="_points").isna().all(axis=None), title
    assert effects.summary(FACTORIAL, {})["n"].sum() == 0


def test_seeds_are_listed_in_numerical_order():
    accuracies = {"end": {16: 80.0, 9: 81.0, 8: 82.0, 0: 83.0}}
    assert effects.summary(FACTORIAL, accuracies).set_index("point").loc["end", "seeds"] == "0 8 9 16"


@pytest.mark.parametrize("design", [FACTORIAL, ORDERINGS, LEAVE_ONE_OUT, ONE_AT_A_TIME])
def test_results_do_not_depend_on_the_order_of_the_input(design):
    accuracies = synthetic(design, noisy, seeds=4)
    del accuracies[design.points[1].name][2]
    shuffled = [(name, list(by_seed.items())) for name, by_seed in accuracies.items()]
    random.Random(0).shuffle(shuffled)
    other = {name: dict(reversed(by_seed)) for name, by_seed in shuffled}
    assert list(other) != list(accuracies)
    first, second = effects.tables(design, accuracies), effects.tables(design, other)
    assert list(first) == list(second)
    for title, table in first.items():
        pd.testing.assert_frame_equal(table, second[title], check_exact=True)


def test_each_design_has_its_tables():
    shapley, both = "Shapley values", ["leave-one-out", "one-at-a-time"]
    expected = {
        "leave-one-out": ["points", both[0]],
        "one-at-a-time": ["points", both[1]],
        "factorial": ["points", *both, "main effects", "interactions", shapley],
        "orderings": ["points", shapley],
    }
    assert set(expected) == set(designs.DESIGNS)
    for name, titles in expected.items():
        assert list(effects.tables(designs.design(name, STEPS), {})) == titles


def test_tables_that_a_design_does_not_allow_are_refused():
    for effect in (effects.main_effects, effects.interactions, effects.shapley):
        with pytest.raises(AblationError, match="design 'leave-one-out' is not a full factorial"):
            effect(LEAVE_ONE_OUT, synthetic(LEAVE_ONE_OUT, noisy))
    with pytest.raises(
        AblationError, match="design 'one-at-a-time' has no point that takes patchify_stem \\+ depthwise"
    ):
        effects.leave_one_out(ONE_AT_A_TIME, {})
    with pytest.raises(AblationError, match="'gleu', which is not a point of design 'factorial'"):
        effects.summary(FACTORIAL, {"gleu": {0: 1.0}})


def test_ten_thousand_outcomes_are_analysed_within_two_seconds():
    design = designs.factorial(designs.default_steps()[:10], "resnet50", 8, 1)
    runs = designs.trials(design, "micro", "digits", range(10))
    assert len(runs) == 10_240
    outcomes = {
        trial: Outcome("done", noisy(set(point.steps), trial.seed), 0.5, (1.0,), 355, 1000, 3.0, 100.0, {})
        for trial, point in runs.items()
    }
    started = time.process_time()
    found = effects.tables(design, accuracies(design, "micro", "digits", outcomes))
    assert time.process_time() - started < 2
    assert len(found["points"]) == 1024 and len(found["interactions"]) == 45
    assert all(set(table["n"]) == {10} for table in found.values())
