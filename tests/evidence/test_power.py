"""Power as predicted is power as simulated, and null ladders rarely show a step. Ladders are simulated a thousand at a time."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablation.design.roadmap import roadmap
from ablation.evidence import power
from ablation.evidence.contrasts import contrasts, estimate, holm
from ablation.evidence.measured_spread import measured_spread
from ablation.study.store import FILE, Store
from tests.study.samples import CHECKSUM, KEYS, TRIALS, outcome, planned_store

RUNGS = roadmap()
NAMES = [rung.name for rung in RUNGS]
RECIPES = [rung.recipe for rung in RUNGS]
PAIRS = np.array([(NAMES.index(rung.name), NAMES.index(rung.previous)) for rung in RUNGS if rung.previous])
STD, LADDERS = 0.8, 1000


def p_values(seeds, effects=None, first_row_std=STD, ladders=LADDERS):
    """Return Holm's p-values and the differences of simulated ladders, (ladders, steps)."""
    generator = np.random.default_rng(20221)
    values = generator.normal(70, STD, (ladders, len(RUNGS), seeds))
    values[:, 0] = 70 + (values[:, 0] - 70) * first_row_std / STD
    for name, effect in (effects or {}).items():
        values[:, NAMES.index(name)] += effect
    found = estimate(values, RECIPES, PAIRS)
    return holm(found.p), found.difference


@pytest.mark.parametrize(("seeds", "first_row_std"), [(3, STD), (5, STD), (10, STD), (3, 4 * STD)])
def test_a_null_ladder_shows_a_step_in_at_most_6_percent(seeds, first_row_std):
    adjusted, _ = p_values(seeds, first_row_std=first_row_std)
    rate = (adjusted.min(axis=1) < 0.05).mean()
    assert 0.02 < rate <= 0.06


def test_without_correction_a_null_ladder_shows_a_step_in_every_third():
    values = np.random.default_rng(5).normal(70, STD, (LADDERS, len(RUNGS), 3))
    assert (estimate(values, RECIPES, PAIRS).p.min(axis=1) < 0.05).mean() > 0.3


@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("share", [1.0, 0.75])
def test_an_effect_is_found_as_often_as_predicted(seeds, share):
    """In the last row alone, so that no other step has an effect."""
    effect = share * power.effect_of_seeds(seeds, STD, 16, 16)
    adjusted, difference = p_values(seeds, {"strided_downsampling": effect})
    found = ((adjusted[:, -1] < 0.05) & (difference[:, -1] > 0)).mean()
    predicted = power.power(effect, STD * np.sqrt(2 / seeds), 16 * (seeds - 1), 0.05 / 16)
    assert found == pytest.approx(predicted, abs=0.05)
    if share == 1:
        assert predicted == pytest.approx(0.8, abs=1e-4)


def test_seeds_and_effects_are_each_others_inverse():
    for effect in (0.3, 1.0, 2.5):
        seeds = power.seeds_for_effect(effect, STD, 16, 16)
        assert power.effect_of_seeds(seeds, STD, 16, 16) <= effect
        assert seeds == 3 or power.effect_of_seeds(seeds - 1, STD, 16, 16) > effect
    assert power.seeds_for_effect(50.0, STD, 16, 16) == 3, "with fewer than three, no row has a verdict"
    assert power.seeds_for_effect(0.01, STD, 16, 16) is None


def test_the_power_is_that_of_the_noncentral_t_distribution():
    """A published value: 64 in each of two groups find half a standard deviation with a power of 0.80 (Cohen 1988)."""
    assert power.power(0.5, np.sqrt(2 / 64), 126, 0.05) == pytest.approx(0.801, abs=0.001)
    assert power.smallest_effect(1.0, 1, 0.05 / 1000) > 1e4
    assert np.isnan(power.smallest_effect(1.0, np.nan, 0.05)) and np.isnan(power.smallest_effect(np.nan, 3, 0.05))


def test_each_contrast_says_the_smallest_effect_that_its_design_finds():
    values = np.random.default_rng(1).normal(70, STD, (3, 3))
    rows = {name: dict(enumerate(map(float, row))) for name, row in zip("abc", values, strict=True)}
    pairs = [("b", "a"), ("c", "b")]
    std = np.sqrt(values.var(axis=1, ddof=1).mean())
    for step in contrasts(rows, dict.fromkeys(rows, "micro"), pairs):
        assert step.smallest_effect == pytest.approx(power.effect_of_seeds(3, std, 3, 2))


def test_the_spread_of_a_store_is_pooled_over_the_networks_of_a_recipe(tmp_path):
    accuracies = {KEYS[0]: 80.0, KEYS[1]: 82.0, KEYS[2]: 84.0, KEYS[3]: None}
    with planned_store(tmp_path / FILE) as store:
        for key, accuracy in accuracies.items():
            store.put(key, outcome(accuracy, "done" if accuracy else "diverged"))
        for trial, accuracy in zip(TRIALS[:2], (60.0, 61.0), strict=True):
            wider = type(trial)(trial.architecture.replace(width=8), trial.recipe, trial.data, trial.seed)
            store.record(wider.key(CHECKSUM), wider, CHECKSUM, outcome(accuracy))
            longer = type(trial)(trial.architecture, trial.recipe.replace(epochs=7), trial.data, 0)
        store.record(longer.key(CHECKSUM), longer, CHECKSUM, outcome(30.0))
    with Store(tmp_path / FILE, readonly=True) as store:
        table = measured_spread(store.rows())
        rows = store.rows()
    (group,) = table.to_dict("records")
    trial = json.loads(rows[0]["trial"])
    for description in ("recipe", "architecture"):
        trial[description] = {name: value for name, value in trial[description].items() if value is not None}
    rows[0]["trial"] = json.dumps(trial)
    assert measured_spread(rows).equals(table), "a field that was added later, at its default, is no other recipe"
    variance = (2 * 4.0 + 1 * 0.5) / 3
    assert (group["networks"], group["df"], group["departing"], group["epochs"]) == (2, 3, 0, 1)
    assert group["std_points"] == pytest.approx(np.sqrt(variance))
    limits = np.sqrt(3 * variance / stats.chi2.ppf([0.975, 0.025], 3))
    assert [group["std_low"], group["std_high"]] == pytest.approx(list(limits))
    assert isinstance(table, pd.DataFrame) and measured_spread([]).empty
