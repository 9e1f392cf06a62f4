"""Kill a study with SIGKILL: running it again gives the results of an undisturbed study, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablation import Study, Trial
from tests.study.samples import SHORT, TINY, alive, children

TRIALS = [Trial(TINY, SHORT.replace(epochs=8), "digits#320", seed) for seed in range(8)]
PROGRAM = (
    "import sys\n"
    "from tests.study.test_survival import *\n"
    "if __name__ == '__main__':\n"
    "    Study(TRIALS, sys.argv[1]).run(workers=2, on_event=lambda event: print(event.kind, flush=True))\n"
)


class Driver:
    """A study in another process that prints its events; it is killed at the end of the context."""

    program = PROGRAM

    def __init__(self, store, *arguments):
        script = store.with_suffix(".py")
        script.write_text(self.program)
        command = [sys.executable, str(script), str(store), *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
        self.job = subprocess.Popen(command, text=True, env=environment, start_new_session=True, **pipes)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.job.kill()
        self.job.communicate()

    def until(self, kind, times):
        """Wait for a number of events of a kind."""
        while times:
            line = self.job.stdout.readline()
            assert line, self.job.stderr.read()
            times -= line.strip() == kind

    def workers(self):
        """Return the ids of the worker processes."""
        return [pid for pid in children(self.job.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]

    def end(self):
        """Wait for the end; return exit code, standard output and standard error."""
        out, error = self.job.communicate(timeout=300)
        return self.job.returncode, out, error


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    with Driver(store) as driver:
        assert driver.end()[0] == 0
    return table(store)


def table(store):
    """Return the results of a study that must not depend on time: numbers of the outcomes and bytes of the weights."""
    outcomes = Study(TRIALS, store).outcomes()
    fields = ("status", "accuracy", "test_loss", "train_losses", "not_learning", "params")
    numbers = [(trial.seed, *(getattr(result, name) for name in fields)) for trial, result in outcomes.items()]
    return numbers, {file.name: file.read_bytes() for file in (store / "weights").glob("*.safetensors")}


def test_the_undisturbed_study_has_all_results(undisturbed):
    numbers, weights = undisturbed
    assert len(numbers) == len(weights) == 8 and len({row[3] for row in numbers}) == 8


def test_a_killed_driver_loses_no_finished_trial_and_releases_the_store(tmp_path, undisturbed):
    store = tmp_path / "store"
    with Driver(store) as first:
        first.until("ended", 2)
        first.until("epoch", 2)
        os.kill(first.job.pid, signal.SIGSTOP)  # otherwise it may end before the second one starts
        with Driver(store) as second:
            code, _, error = second.end()
        refused = f"another driver runs a study in {store}: process {first.job.pid} on"
        assert code == 1 and refused in error, error
    missing = Study(TRIALS, store).missing()
    assert 0 < len(missing) <= 6, "some trials had finished and some had not"
    with Driver(store) as third:
        code, out, error = third.end()
    assert code == 0, error
    assert out.split().count("ended") == len(missing), "finished trials are not run again"
    assert table(store) == undisturbed


def test_a_killed_worker_is_replaced(tmp_path, undisturbed):
    store = tmp_path / "store"
    with Driver(store) as driver:
        driver.until("ended", 2)
        driver.until("epoch", 1)
        os.kill(driver.workers()[0], signal.SIGKILL)
        code, _, error = driver.end()
    assert code == 0, error
    assert table(store) == undisturbed


def test_sigterm_stops_driver_and_workers_after_a_checkpoint(tmp_path, undisturbed):
    store = tmp_path / "store"
    with Driver(store) as driver:
        driver.until("epoch", 3)
        workers = driver.workers()
        driver.job.terminate()
        began = time.monotonic()
        code, _, error = driver.end()
    assert code == 143 and "Traceback" not in error, error
    assert time.monotonic() - began < 20 and workers and not any(map(alive, workers))
    with Driver(store) as again:
        assert again.end()[0] == 0
    assert table(store) == undisturbed
