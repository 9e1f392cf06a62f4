"""Accuracies of a design: only finished trials of its recipe and data are used."""

from ablation import Outcome
from ablation.design.recipes import FAMILIES
from ablation.evidence.accuracies import accuracies
from ablation.study.designs import design, trials


def outcome(accuracy, status="done"):
    return Outcome(status, accuracy, None, (1.0,), 355, 1000, 3.0, 100.0, {})


def test_only_finished_trials_have_an_accuracy():
    chosen = design("one-at-a-time", ["depthwise", "gelu"], "resnet50", 8, 1)
    runs = list(trials(chosen, "micro", "digits", range(3)))  # start, depthwise, gelu of seed 0, then of 1 and 2
    outcomes = {trial: outcome(50.0 + i) for i, trial in enumerate(runs)}
    outcomes[runs[1]] = outcome(None, "diverged")
    outcomes[runs[4]] = outcome(None, "failed")
    outcomes[runs[7]] = outcome(1.0, "failed")
    del outcomes[runs[2]]
    result = accuracies(chosen, "micro", "digits", outcomes)
    assert list(result) == [point.name for point in chosen]
    assert result["start"] == {0: 50.0, 1: 53.0, 2: 56.0}
    assert result["depthwise"] == {}, "diverged and failed trials have no accuracy, whatever their outcome contains"
    assert result["gelu"] == {1: 55.0, 2: 58.0}
    assert not any(accuracies(chosen, "micro", "another set", outcomes).values())


def test_points_with_equal_networks_share_a_trial():
    chosen = design("factorial", ["kernel_size=5", "kernel_size=7"], "resnet50", 8, 1)
    runs = list(trials(chosen, "micro", "digits", [0]))
    assert len(runs) == 3 and all(trial.recipe == FAMILIES["micro"].modern for trial in runs)
    result = accuracies(chosen, "micro", "digits", {trial: outcome(60.0 + i) for i, trial in enumerate(runs)})
    assert result["end"] == result["kernel_size=7"] == {0: 62.0}
