"""The local engine: what dies is taken up again, what fails three times is told, and the others go on."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ablation import AblationError, Study, Trial
from ablation.study.engines import ATTEMPTS, Event, locally
from ablation.study.lock import driver_lock, driver_of
from tests.study.test_store import SHORT, TINY, outcome

TRIALS = [Trial(TINY, SHORT, "digits", seed) for seed in range(4)]


def _act(trial, directory, progress):
    """What a worker does here in place of training: seed 1 is killed once, 2 always raises, 3 is asked for wrongly."""
    progress(1, 1, 0.5)
    mark = Path(directory) / str(trial.seed)
    mark.write_text(mark.read_text() + "x" if mark.exists() else "x")
    if trial.seed == 1 and mark.read_text() == "x":
        os.kill(os.getpid(), signal.SIGKILL)
    if trial.seed == 2:
        raise RuntimeError("no such luck")
    if trial.seed == 3:
        raise AblationError("asked for wrongly")
    return outcome()


def check_ends(events):
    """What `_act` comes to, whatever the engine."""
    ends = {event.trial.seed: event for event in events if event.kind == "ended"}
    assert len(ends) == len([event for event in events if event.kind == "ended"]) == 4
    assert [ends[seed].attempt for seed in range(4)] == [1, 2, ATTEMPTS, 1]
    assert ends[0].outcome == ends[1].outcome == outcome()
    assert ends[2].outcome.status == ends[3].outcome.status == "failed"
    reason = ends[2].outcome.reason
    assert "failed 3 times" in reason and "RuntimeError: no such luck" in reason and "in _act" in reason
    assert ends[3].outcome.reason == "AblationError: asked for wrongly"


def _die(trial, directory, progress):
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_dies_or_raises_is_tried_three_times_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.study.engines.local._run", _act)
    events = list(locally(TRIALS, tmp_path, workers=2))
    check_ends(events)
    assert sum(event.kind == "started" for event in events) == 1 + 2 + 3 + 1
    assert Event(TRIALS[0], "epoch", 1, 1, 1, 0.5) in events


def test_one_worker_that_dies_is_replaced_until_its_trial_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.study.engines.local._run", _die)
    (end,) = [event for event in locally(TRIALS[:1], tmp_path, workers=1) if event.kind == "ended"]
    assert end.outcome.status == "failed" and "killed by SIGKILL, perhaps for want of memory" in end.outcome.reason


def test_a_failed_trial_is_never_shown_as_done_and_is_run_again(tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr("ablation.study.engines.local._run", _act)
    study = Study(TRIALS, tmp_path)
    assert set(study.run(workers=1)) == {TRIALS[0], TRIALS[1]}
    assert study.missing() == (TRIALS[2], TRIALS[3]) and set(study.failed()) == {TRIALS[2], TRIALS[3]}
    seen = []
    study.run(workers=1, on_event=lambda event: seen.append(event.trial))
    assert set(seen) == {TRIALS[2], TRIALS[3]}


def test_an_engine_that_is_closed_leaves_no_worker_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.study.engines.local._run", _act)
    events = locally(TRIALS[:2], tmp_path, workers=2)
    next(events)
    workers = children()
    assert workers
    events.close()
    assert not workers & children()


def children():
    """Child processes but for multiprocessing's own resource tracker."""
    found = set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    return {pid for pid in found if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()}


def test_workers_that_cannot_start_are_one_clear_message(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from tests.study.test_store import TRIALS\n"
        "from ablation.study.engines import locally\n"
        "from pathlib import Path\n"
        f"list(locally(TRIALS[:1], Path({str(tmp_path)!r}), workers=1))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 1 and "AblationError: no worker could start" in done.stderr, done.stderr


def test_a_second_driver_is_refused_and_told_the_first(tmp_path):
    assert driver_of(tmp_path) == ""
    with driver_lock(tmp_path):
        assert f"process {os.getpid()}" in driver_of(tmp_path)
        with pytest.raises(AblationError, match=f"another driver .* process {os.getpid()} on"), driver_lock(tmp_path):
            pass
        with pytest.raises(AblationError, match="another driver"):
            Study(TRIALS, tmp_path).run()
    assert driver_of(tmp_path) == ""
    with driver_lock(tmp_path):
        pass
