"""Experiments of the course: run once, stored at full scale, summarised and compared."""

import math

import pandas as pd
import pytest

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
        ([4.0, -2.0, 3.0], "within noise"),
    ],
)
def test_a_difference_is_paired_by_seed_and_gets_a_verdict(b, verdict):
    text = compare(table([1.0, 2.0, 3.0], b), "net", "a", "b")
    assert text.startswith("b minus a: ") and text.endswith(f"(95 % interval, 3 seeds): {verdict}")


def test_one_seed_gives_no_verdict_and_no_common_seed_is_an_error():
    assert "no interval, so no verdict" in compare(table([1.0], [2.0]), "net", "a", "b")
    with pytest.raises(AblationError, match="no seed was run with both 'a' and 'c'"):
        compare(table([1.0], [2.0]), "net", "a", "c")
