"""Studies: finished trials are kept and never repeated, also after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablation import AblationError, Study, Trial
from ablation.evidence.contrasts import contrasts
from ablation.evidence.ladder_table import ladder_table
from ablation.study.ladder import check_seeds, ladder_trials
from tests.study.samples import SHORT, TINY, alive, children, outcome
from tests.study.samples import TRIALS as ALL_TRIALS

TRIALS = ALL_TRIALS[:3]


def test_a_study_runs_only_missing_trials(tmp_path):
    first = Study(TRIALS[:2], tmp_path)
    assert first.missing() == tuple(TRIALS[:2])
    done = first.run(workers=2)
    assert set(done) == set(TRIALS[:2])
    seen = []
    more = Study(TRIALS, tmp_path)
    assert more.missing() == (TRIALS[2],)
    everything = more.run(workers=1, on_event=lambda event: seen.append((event.kind, event.trial)))
    assert seen == [(kind, TRIALS[2]) for kind in ("started", "epoch", "ended")]
    assert all(everything[trial] == done[trial] for trial in done)
    assert len(list((tmp_path / "weights").glob("*.safetensors"))) == 3


def test_a_worker_s_outcome_equals_that_of_a_run_in_this_process(tmp_path):
    import torch

    from ablation import run

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        here = run(TRIALS[0], tmp_path / "here")
    finally:
        torch.set_num_threads(threads)
    there = Study(TRIALS[:1], tmp_path / "there").run()[TRIALS[0]]
    assert (here.accuracy, here.test_loss, here.train_losses) == (there.accuracy, there.test_loss, there.train_losses)


def test_a_killed_driver_loses_no_finished_trial(tmp_path):
    program = (
        "from tests.study.test_study import *\n"
        "if __name__ == '__main__':\n"
        "    long = [Trial(TINY, SHORT.replace(epochs=1 if seed == 0 else 3000), 'digits', seed) for seed in range(2)]\n"
        "    report = lambda event: event.kind == 'ended' and print('ended', flush=True)\n"
        f"    Study(long, {str(tmp_path)!r}).run(workers=1, on_event=report)\n"
    )
    script = tmp_path / "driver.py"
    script.write_text(program)
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment) as driver:
        assert driver.stdout.readline() == "ended\n"
        workers = children(driver.pid)
        assert workers
        driver.send_signal(signal.SIGKILL)
    for _ in range(100):
        if not any(alive(worker) for worker in workers):
            break
        time.sleep(0.1)
    assert not any(alive(worker) for worker in workers), "workers exit with their driver"
    assert Study(TRIALS[:2], tmp_path).missing() == (TRIALS[1],)


def test_unknown_data_unknown_engines_and_unwritable_folders_are_refused(tmp_path):
    with pytest.raises(AblationError, match="did you mean 'digits'"):
        Study([Trial(TINY, SHORT, "digist")], tmp_path)
    with pytest.raises(AblationError, match="did you mean 'local'"):
        Study(TRIALS, tmp_path, engine="locla")
    (tmp_path / "file").touch()
    with pytest.raises(AblationError, match="cannot write"):
        Study(TRIALS, tmp_path / "file")


def test_ladder_trials():
    trials = list(ladder_trials("micro", "digits", check_seeds(2)))
    assert len(trials) == 34
    assert trials[0].architecture == trials[1].architecture and trials[0].recipe != trials[1].recipe
    with pytest.raises(AblationError, match="smallest that works"):
        ladder_trials("paper", "digits", range(1))
    for bad in (0, -1):
        with pytest.raises(AblationError, match=f"seeds {bad}"):
            check_seeds(bad)


def test_the_ladder_table_compares_with_the_previous_adopted_row():
    trials = ladder_trials("micro", "digits", range(3))
    accuracies = {name: base for base, name in enumerate(ladder_table("micro", "digits", {})["rung"], start=50)}
    outcomes = {}
    for i, trial in enumerate(trials):
        name = list(accuracies)[i % 17]
        outcomes[trial] = outcome(accuracies[name] + 0.1 * trial.seed)
    table = ladder_table("micro", "digits", outcomes).set_index("rung")
    assert table.loc["kernel_size_9", "difference"] == pytest.approx(3.0), (
        "relative to move_up_depthwise, not to kernel size 7"
    )
    assert table.loc["gelu", "difference"] == pytest.approx(3.0), "relative to kernel size 7"
    assert table.loc["depthwise", "verdict"] == "reverses", "the paper reports a loss, these accuracies increase"
    assert table.loc["widen", "verdict"] == "agrees"
    assert table.loc["patchify_stem", "verdict"] == "differs", "the difference in the paper is within its noise"
    assert table.loc["original_recipe", "verdict"] == "" and table.loc["original_recipe", "test"] == ""
    assert table.loc["enhanced_recipe", "test"] == "Welch" and set(table["test"].iloc[2:]) == {"pooled"}
    names = {row.name: row.previous for row in dict.fromkeys(trials.values()) if row.previous}
    of_rows = {name: {seed: base + 0.1 * seed for seed in range(3)} for name, base in accuracies.items()}
    for (name, _), step in zip(
        names.items(), contrasts(of_rows, dict(table["recipe"]), list(names.items())), strict=True
    ):
        shown = table.loc[name, ["difference", "difference_half", "equivalence_half", "p", "p_holm", "smallest_effect"]]
        expected = [step.difference, step.half, step.equivalence_half, step.p, step.p_holm, step.smallest_effect]
        assert list(shown) == pytest.approx(expected)
    assert (table["n"] == 3).all() and table.loc["gelu", "accuracies"] == "62.00 62.10 62.20"
