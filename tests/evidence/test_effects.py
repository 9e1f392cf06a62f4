"""Effects, checked on synthetic accuracies with known effects."""

import itertools
import random
import time

import numpy as np
import pandas as pd
import pytest

from ablation import AblationError, Outcome
from ablation.evidence import effects
from ablation.evidence.accuracies import accuracies
from ablation.evidence.intervals import mean_interval, paired_difference
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
def test_effects_of_additive_accuracies_are_their_terms(effect, design, name):
    """The seeds are 10 points apart: only effects paired by seed are equal for all seeds, with an interval of zero."""
    table = effect(design, synthetic(design, additive))
    assert tuple(table["step"]) == STEPS
    assert column(table, name) == pytest.approx(EFFECTS, abs=1e-9)
    assert list(table["n"]) == [3] * 4 and list(table["seeds"]) == ["0 1 2"] * 4
    error = table["se_points" if "se_points" in table else "half_points"]
    assert list(error) == pytest.approx([0] * 4, abs=1e-9)


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


def test_main_effects_and_interactions_match_their_definitions():
    accuracies = synthetic(FACTORIAL, noisy)
    for row in effects.main_effects(FACTORIAL, accuracies).to_dict("records"):
        step = row["step"]
        by_seed = [mean_accuracy(seed, **{step: True}) - mean_accuracy(seed, **{step: False}) for seed in range(3)]
        assert (row["effect_points"], row["half_points"]) == pytest.approx(t_interval(by_seed))
    for row in effects.interactions(FACTORIAL, accuracies).to_dict("records"):
        a, b = row["step"], row["other"]
        by_seed = []
        for seed in range(3):
            with_b = mean_accuracy(seed, **{a: True, b: True}) - mean_accuracy(seed, **{a: False, b: True})
            without_b = mean_accuracy(seed, **{a: True, b: False}) - mean_accuracy(seed, **{a: False, b: False})
            by_seed.append(with_b - without_b)
        assert (row["interaction_points"], row["half_points"]) == pytest.approx(t_interval(by_seed))


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


def test_differences_are_paired_by_seed():
    accuracies = synthetic(ONE_AT_A_TIME, noisy, seeds=4)
    del accuracies["gelu"][2], accuracies["start"][0]
    table = effects.differences(ONE_AT_A_TIME, accuracies)
    assert list(table["after"]) == [point.name for point in ONE_AT_A_TIME if point.previous]
    for row in table.to_dict("records"):
        expected = paired_difference(accuracies[row["after"]], accuracies[row["before"]])
        assert (row["difference_points"], row["half_points"]) == pytest.approx((expected.mean, expected.half))
    assert table.set_index("after").loc["gelu", ["before", "n", "seeds"]].tolist() == ["start", 2, "1 3"]
    custom = effects.differences(ONE_AT_A_TIME, accuracies, [("gelu", "depthwise")])
    assert custom["difference_points"][0] == pytest.approx(
        paired_difference(accuracies["gelu"], accuracies["depthwise"]).mean
    )
    with pytest.raises(AblationError, match="'gleu' is not a point of design 'one-at-a-time'"):
        effects.differences(ONE_AT_A_TIME, accuracies, [("gleu", "depthwise")])


def test_a_failed_trial_removes_its_seed_from_every_row_that_needs_it():
    accuracies = synthetic(LEAVE_ONE_OUT, additive)
    del accuracies["without gelu"][1]
    table = effects.leave_one_out(LEAVE_ONE_OUT, accuracies).set_index("step")
    assert column(table.reset_index(), "effect_points") == pytest.approx(EFFECTS, abs=1e-9)
    assert column(table.reset_index(), "n") == {"patchify_stem": 3, "depthwise": 3, "gelu": 2, "layer_norm": 3}
    assert table.loc["gelu", "seeds"] == "0 2"
    complete = synthetic(FACTORIAL, noisy)
    without = {name: {seed: by_seed[seed] for seed in (0, 2)} for name, by_seed in complete.items()}
    incomplete = {name: dict(by_seed) for name, by_seed in complete.items()}
    del incomplete["depthwise"][1]
    for effect in (effects.main_effects, effects.interactions, effects.shapley):
        table = effect(FACTORIAL, incomplete)
        pd.testing.assert_frame_equal(table, effect(FACTORIAL, without))
        assert set(table["n"]) == {2} and set(table["seeds"]) == {"0 2"}


def test_a_point_without_trials_gives_rows_of_nan():
    for design in (FACTORIAL, ORDERINGS):
        accuracies = synthetic(design, noisy)
        del accuracies["end"]
        for title, table in effects.tables(design, accuracies).items():
            if title in ("main effects", "interactions", "Shapley values", "leave-one-out"):
                assert set(table["n"]) == {0} and set(table["seeds"]) == {""}, title
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
