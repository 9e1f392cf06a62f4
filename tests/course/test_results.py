"""Experiments of the course: run once, stored at full scale, summarised and compared."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ablation import Trial
from ablation.course import compare, experiment, scale, scaled, stored, summarise
from ablation.errors import AblationError
from tests.study.samples import SHORT, TINY

TRIALS = {("short", seed): Trial(TINY, SHORT.replace(epochs=1), "digits#320", seed) for seed in range(2)}


@pytest.fixture(autouse=True)
def clean_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ABLATION_SCALE", raising=False)


@pytest.mark.parametrize(("given", "expected"), [(None, 1), ("", 1), ("fast", 1), ("normal", 2), ("full", 3)])
def test_the_variable_sets_the_scale(monkeypatch, given, expected):
    if given is not None:
        monkeypatch.setenv("ABLATION_SCALE", given)
    assert scaled(fast=1, normal=2, full=3) == expected


def test_an_unknown_scale_suggests_the_closest(monkeypatch):
    monkeypatch.setenv("ABLATION_SCALE", "ful")
    with pytest.raises(AblationError, match="unknown ABLATION_SCALE 'ful'; did you mean 'full'"):
        scale()


def test_an_experiment_runs_once_and_is_stored_at_full_scale(tmp_path, monkeypatch, capsys):
    first = experiment("one", TRIALS, columns=("how", "run"))
    assert list(first["how"]) == ["short"] * 2 and list(first["seed"]) == [0, 1] and set(first["status"]) == {"done"}
    assert first["commit"].notna().all() and not (tmp_path / "stored").exists()
    assert "2 of 2 trials" in capsys.readouterr().out
    monkeypatch.setenv("ABLATION_SCALE", "full")
    again = experiment("one", TRIALS, columns=("how", "run"))
    assert "trials" not in capsys.readouterr().out, "finished trials were run again"
    kept = stored("one")
    printed = capsys.readouterr().out
    assert "Stored, not run now: 2 rows; seeds 0, 1;" in printed and "ABLATION_SCALE=full runs it anew" in printed
    assert list(again["accuracy"]) == list(first["accuracy"]) == pytest.approx(list(kept["accuracy"]))
    with pytest.raises(AblationError, match="unknown stored result 'ona'; did you mean 'one'"):
        stored("ona")


def test_a_failed_trial_raises_an_error(monkeypatch):
    def broken(trials, folder, workers=None):
        from ablation.study.engines import Event
        from ablation.study.engines.events import failed

        for trial in trials:
            yield Event(trial, "ended", outcome=failed("no luck"))

    with pytest.raises(AblationError, match="seed 0 of one failed: no luck"):
        experiment("one", TRIALS, columns=("how", "run"), engine=broken)


def table(a, b):
    rows = [("a", seed, value) for seed, value in enumerate(a)] + [("b", seed, value) for seed, value in enumerate(b)]
    return pd.DataFrame(rows, columns=["net", "seed", "accuracy"])


def test_means_and_intervals():
    found = summarise(table([1.0, 2.0, 3.0], [5.0]), ["net"])
    assert found.loc["a", "mean"] == 2 and found.loc["a", "half"] == pytest.approx(2.4841, abs=1e-4)
    assert found.loc["a", "n"] == 3 and found.loc["b", "n"] == 1 and math.isnan(found.loc["b", "half"])


@pytest.mark.parametrize(
    ("b", "verdict"),
    [
        ([11.0, 12.1, 12.9], "larger"),
        ([-9.0, -8.1, -6.9], "smaller"),
        ([4.0, -2.0, 3.0], "undecided"),
    ],
)
def test_a_difference_gets_a_verdict(b, verdict):
    text = compare(table([1.0, 2.0, 3.0], b), "net", "a", "b")
    p = stats.ttest_ind(b, [1.0, 2.0, 3.0]).pvalue
    assert text.startswith(f"b minus a: {np.mean(b) - 2:+.2f} ± ") and text.endswith(f": {verdict}")
    assert (p < 0.05) == (verdict != "undecided") and "(95 % interval, 3 seeds; 80 % power from " in text


def test_a_third_setting_adds_to_the_shared_deviation_and_recipes_to_none():
    rows = pd.concat([table([1.0, 2.0, 3.0], [5.0, 6.0, 8.0]), table([], [1.0, 5.0, 9.0]).assign(net="c")])
    half = {"pooled": np.sqrt((2 + 14 / 3 + 32) / 6 * 2 / 3) * stats.t.ppf(0.975, 6)}
    low, high = stats.ttest_ind([5.0, 6.0, 8.0], [1.0, 2.0, 3.0], equal_var=False).confidence_interval(0.95)
    half["Welch"] = (high - low) / 2
    for one_recipe, name in ((True, "pooled"), (False, "Welch")):
        assert f"+4.33 ± {half[name]:.2f} (" in compare(rows, "net", "a", "b", one_recipe=one_recipe)


def test_without_enough_seeds_there_is_no_verdict():
    assert "no interval, so no verdict" in compare(table([1.0], [2.0]), "net", "a", "b")
    assert compare(table([1.0, 2.0], [8.0, 9.0]), "net", "a", "b").endswith("no verdict from fewer than 3 seeds")
    rows = table([1.0, 2.0, 3.0, 2.0], [8.0, 9.0, 10.0, math.nan]).assign(status=["done"] * 7 + ["diverged"])
    assert compare(rows, "net", "a", "b").endswith("no verdict, since 1 diverged")


def test_settings_that_cannot_be_compared_are_an_error():
    with pytest.raises(AblationError, match="unknown setting of 'net' 'c'"):
        compare(table([1.0], [2.0]), "net", "a", "c")
    twice = pd.concat([table([1.0], [2.0]), table([3.0], [])])
    with pytest.raises(AblationError, match="a seed occurs twice with 'a' in column 'net'"):
        compare(twice, "net", "a", "b")
