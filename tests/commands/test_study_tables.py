"""The tables that studies print and write, from invented outcomes: nothing is trained."""

import dataclasses

import pytest

from ablation import Study
from ablation.commands import run_roadmap as roadmaps
from ablation.commands import run_study as studies
from ablation.commands.options import StudyOptions
from ablation.study.engines import Event
from tests.commands.running import rows_of
from tests.study.samples import outcome


def without_training(trials, directory, workers=None):
    """Engine whose outcomes are another accuracy for each trial."""
    for i, trial in enumerate(trials):
        yield Event(trial, "ended", outcome=dataclasses.replace(outcome(60.0 + 0.02 * i**2), seconds=1.0))


@pytest.fixture
def options(tmp_path, monkeypatch):
    for module in (studies, roadmaps):
        monkeypatch.setattr(module, "Study", lambda labels, store, *_, **__: Study(labels, store, without_training))
    return StudyOptions("digits", "micro", 3, out=tmp_path, store=tmp_path / "runs")


def test_a_study_prints_each_value_with_its_interval(options, capsys):
    studies.run_study("factorial", ["gelu", "depthwise"], 1, options)
    out = capsys.readouterr().out
    values = {
        "points": 4,
        "leave-one-out": 2,
        "one-at-a-time": 2,
        "main effects": 2,
        "interactions": 1,
        "Shapley values": 2,
    }
    sections = dict(zip(values, out.split(": factorial on digits")[1:], strict=True))
    for title, count in values.items():
        assert sections[title].count(" ± ") == count, title
        table = rows_of(options.out / f"study-factorial-digits-{title.lower().replace(' ', '-')}.csv")
        assert all(float(row["half_points"]) > 0 for row in table)
        name = next(name for name in table[0] if name.endswith(("_points", "_percent")))
        text = (
            f"{float(table[0][name]):{'.2f' if title == 'points' else '+.2f'}} ± {float(table[0]['half_points']):.2f}"
        )
        assert text in sections[title]


def test_a_study_writes_which_steps_each_network_takes(options, capsys):
    studies.run_study("one-at-a-time", ["gelu", "depthwise"], 1, options)
    stem = "study-one-at-a-time-digits-presence"
    rows = {row["network"]: row for row in rows_of(options.out / f"{stem}.csv")}
    assert [rows[name]["gelu"] for name in ("start", "gelu", "depthwise")] == ["False", "True", "False"]
    points = rows_of(options.out / "study-one-at-a-time-digits-points.csv")
    assert [row["accuracy_percent"] for row in rows.values()] == [row["accuracy_percent"] for row in points]
    assert "•" in (options.out / f"{stem}.md").read_text() and "tabular" in (options.out / f"{stem}.tex").read_text()
    assert f"{stem}.csv, .md and .tex" in capsys.readouterr().out


def test_a_ladder_writes_which_steps_each_rung_takes(options):
    roadmaps.run_roadmap(options)
    ladder, rows = rows_of(options.out / "roadmap-digits.csv"), rows_of(options.out / "roadmap-digits-presence.csv")
    assert [(row["network"], row["accuracy_percent"]) for row in rows] == [
        (row["rung"], row["accuracy"]) for row in ladder
    ]
    assert [row["stage_ratio"] for row in rows] == ["False"] * 2 + ["True"] * 15
    assert {file.suffix for file in options.out.glob("roadmap-digits-presence.*")} == {".csv", ".md", ".tex"}


def test_a_ladder_prints_corrected_p_values_and_the_effect_that_it_finds(options, capsys):
    roadmaps.run_roadmap(options)
    out, ladder = capsys.readouterr().out, rows_of(options.out / "roadmap-digits.csv")
    (effect,) = {f"{float(row['smallest_effect']):.1f}" for row in ladder if row["test"] == "pooled"}
    assert f"With these seeds, a difference of {effect} points is found with 80 % power" in out
    line = next(line for line in out.splitlines() if line.strip().startswith("depthwise conv ") and "±" in line)
    row = next(row for row in ladder if row["rung"] == "depthwise")
    assert f"± {float(row['difference_half']):.1f}" in line and f" {float(row['p_holm']):.3f} " in line
    assert row["verdict"] and row["verdict"] in line
