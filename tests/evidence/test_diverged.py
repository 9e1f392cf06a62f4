"""Seeds that diverged are counted and shown in every table, and a row that has any gets no verdict."""

import dataclasses

import pytest

from ablation import Study
from ablation.commands import compare_rates as rates
from ablation.commands import run_study as studies
from ablation.commands.options import StudyOptions
from ablation.evidence.accuracies import diverged_seeds
from ablation.evidence.ladder_table import ladder_table
from ablation.show.tables import ladder_text
from ablation.study import designs
from ablation.study.engines import Event
from ablation.study.ladder import ladder_trials
from tests.study.samples import outcome

DIVERGED = outcome(None, "diverged", reason="too large a learning rate")


def test_the_ladder_counts_diverged_seeds_and_gives_their_rows_no_verdict():
    trials = ladder_trials("micro", "digits", range(3))
    scores = {rung.name: 50 + i for i, rung in enumerate(dict.fromkeys(trials.values()))}
    outcomes = {trial: outcome(scores[rung.name] + 0.1 * trial.seed) for trial, rung in trials.items()}
    before = ladder_table("micro", "digits", outcomes).set_index("rung")
    outcomes |= {trial: DIVERGED for trial, rung in trials.items() if rung.name == "depthwise" and trial.seed == 1}
    table = ladder_table("micro", "digits", outcomes)
    after = table.set_index("rung")
    assert after["diverged"].sum() == after.loc["depthwise", "diverged"] == 1 and after.loc["depthwise", "n"] == 2
    changed = after.index[after["verdict"] != before["verdict"]]
    assert list(changed) == ["depthwise", "widen"] and not any(after.loc[changed, "verdict"])
    cells = list(ladder_text(table, "").forms[0].columns[3].cells)
    assert [str(cell) for cell in cells if "diverged" in cell] == [
        f"{after.loc['depthwise', 'accuracy']:.1f} ± 1.3, 1 diverged"
    ]


def test_the_diverged_seeds_of_a_design_are_named():
    chosen = designs.design("one-at-a-time", ["gelu", "depthwise"], "resnet50", 8, 1)
    trials = designs.trials(chosen, "micro", "digits", range(2))
    outcomes = {trial: DIVERGED if point.name == "gelu" else outcome() for trial, point in trials.items()}
    assert diverged_seeds(chosen, "micro", "digits", outcomes) == {"gelu": [0, 1]}


def without_training(trials, directory, workers=None):
    """Engine whose second trial diverges."""
    for i, trial in enumerate(trials):
        yield Event(trial, "ended", outcome=DIVERGED if i == 1 else dataclasses.replace(outcome(), seconds=1.0))


@pytest.mark.parametrize("command", ["study", "rates"])
def test_the_commands_show_diverged_seeds(tmp_path, monkeypatch, capsys, command):
    module = studies if command == "study" else rates
    monkeypatch.setattr(module, "Study", lambda labels, store, *_, **__: Study(labels, store, without_training))
    data = "digits" if command == "study" else "digits#200+100"
    options = StudyOptions(data, "micro", 2, out=tmp_path, store=tmp_path / "runs")
    if command == "study":
        studies.run_study("one-at-a-time", ["gelu", "depthwise"], 1, options)
        out = capsys.readouterr().out
        assert out.count("diverged, and missing above: gelu, seed 0") == 2
        assert "diverged" in (tmp_path / "study-one-at-a-time-digits-points.csv").read_text().splitlines()[0]
    else:
        rates.compare_rates("0.1,0.2", "0.1", None, options)
        table = capsys.readouterr().out.split("held_out_accuracy")[1]
        assert table.count("diverged") == 1 and "90.00" in table
