"""The local engine: dead workers are replaced, trials that fail three times are reported, and the others continue."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ablation import AblationError, Study
from ablation.study.engines import ATTEMPTS, Event, run_locally
from ablation.study.lock import describe_driver, driver_lock
from tests.study.samples import TRIALS as ALL_TRIALS
from tests.study.samples import children, configure_nothing, outcome

TRIALS = ALL_TRIALS[:4]


@pytest.fixture(autouse=True)
def workers_without_torch(monkeypatch):
    monkeypatch.setattr("ablation.study.engines.local.configure_worker", configure_nothing)


_broken = False  # in a worker: whether a trial has met an error there, after which all of CUDA's calls would fail


def _fake_run(trial, directory, progress):
    """Replace training: seed 1 is killed once, seed 2 always raises and breaks its process, seed 3 is an invalid trial."""
    global _broken
    if _broken:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    progress(1, 1, 0.5)
    attempts = Path(directory) / str(trial.seed)
    attempts.write_text(attempts.read_text() + "x" if attempts.exists() else "x")
    if trial.seed == 1 and attempts.read_text() == "x":
        os.kill(os.getpid(), signal.SIGKILL)
    if trial.seed == 2:
        _broken = True
        raise RuntimeError("deliberate")
    if trial.seed == 3:
        raise AblationError("invalid")
    return outcome()


def check_ends(events):
    """Check the events that `_fake_run` causes, for any engine."""
    ends = {event.trial.seed: event for event in events if event.kind == "ended"}
    assert len(ends) == len([event for event in events if event.kind == "ended"]) == 4
    assert [ends[seed].attempt for seed in range(4)] == [1, 2, ATTEMPTS, 1]
    assert ends[0].outcome == ends[1].outcome == outcome()
    assert ends[2].outcome.status == ends[3].outcome.status == "failed"
    reason = ends[2].outcome.reason
    assert "failed 3 times" in reason and "RuntimeError: deliberate" in reason and "in _fake_run" in reason
    assert ends[3].outcome.reason == "AblationError: invalid"


def _die(trial, directory, progress):
    os.kill(os.getpid(), signal.SIGKILL)


def test_trials_that_die_or_raise_are_tried_three_times_and_the_others_continue(tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.study.engines.local._run", _fake_run)
    events = list(run_locally(TRIALS, tmp_path, workers=2))
    check_ends(events)
    assert sum(event.kind == "started" for event in events) == 1 + 2 + 3 + 1
    assert Event(TRIALS[0], "epoch", 1, 1, 1, 0.5) in events


def test_a_single_worker_is_replaced_until_its_trial_has_failed(tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.study.engines.local._run", _die)
    (end,) = [event for event in run_locally(TRIALS[:1], tmp_path, workers=1) if event.kind == "ended"]
    assert end.outcome.status == "failed" and "killed by SIGKILL, possibly because memory ran out" in end.outcome.reason


def test_a_failed_trial_is_not_done_and_is_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.study.engines.local._run", _fake_run)
    monkeypatch.setattr("ablation.study.engines.events.ATTEMPTS", 2)
    study = Study(TRIALS, tmp_path)
    assert set(study.run(workers=1)) == {TRIALS[0], TRIALS[1]}
    assert study.missing() == (TRIALS[2], TRIALS[3]) and set(study.failed()) == {TRIALS[2], TRIALS[3]}
    monkeypatch.setattr("ablation.study.engines.events.ATTEMPTS", 1)
    seen = []
    study.run(workers=1, on_event=lambda event: seen.append(event.trial))
    assert set(seen) == {TRIALS[2], TRIALS[3]}


def test_closing_an_engine_stops_its_workers(tmp_path, monkeypatch):
    monkeypatch.setattr("ablation.study.engines.local._run", _fake_run)
    events = run_locally(TRIALS[:2], tmp_path, workers=2)
    next(events)
    workers = worker_processes()
    assert workers
    events.close()
    assert not workers & worker_processes()


def worker_processes():
    """Return the child processes, without the resource tracker of multiprocessing."""
    return {pid for pid in children(os.getpid()) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()}


def test_workers_that_cannot_start_are_reported(tmp_path):
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from tests.study.samples import TRIALS\n"
        "from ablation.study.engines import run_locally\n"
        "from pathlib import Path\n"
        f"list(run_locally(TRIALS[:1], Path({str(tmp_path)!r}), workers=1))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 1 and "AblationError: no worker could start" in done.stderr, done.stderr


def test_a_second_driver_is_refused_with_the_process_of_the_first(tmp_path):
    assert describe_driver(tmp_path) == ""
    with driver_lock(tmp_path):
        assert f"process {os.getpid()}" in describe_driver(tmp_path)
        with pytest.raises(AblationError, match=f"another driver .* process {os.getpid()} on"), driver_lock(tmp_path):
            pass
        with pytest.raises(AblationError, match="another driver"):
            Study(TRIALS, tmp_path).run()
    assert describe_driver(tmp_path) == ""
    with driver_lock(tmp_path):
        pass
