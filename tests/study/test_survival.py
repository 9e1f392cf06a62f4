"""Kill -9 in the middle of a study: the same command again ends in the table of an undisturbed one, bit for bit."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ablation import Study, Trial
from tests.study.test_store import SHORT, TINY
from tests.study.test_study import alive, children

TRIALS = [Trial(TINY, SHORT.replace(epochs=4), "digits", seed) for seed in range(12)]
PROGRAM = (
    "import sys\n"
    "from tests.study.test_survival import *\n"
    "if __name__ == '__main__':\n"
    "    Study(TRIALS, sys.argv[1]).run(workers=2, on_event=lambda event: print(event.kind, flush=True))\n"
)


class Driver:
    """A study in a process of its own, watched event by event; it ends with the block, whatever happens in it."""

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
        """Wait for that many events of a kind."""
        while times:
            line = self.job.stdout.readline()
            assert line, self.job.stderr.read()
            times -= line.strip() == kind

    def workers(self):
        """The processes that train."""
        return [pid for pid in children(self.job.pid) if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]

    def end(self):
        """What it said, once it has ended."""
        out, error = self.job.communicate(timeout=300)
        return self.job.returncode, out, error


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    with Driver(store) as driver:
        assert driver.end()[0] == 0
    return table(store)


def table(store):
    """What a study came to: every number that may not depend on time, and the bytes of the weights."""
    outcomes = Study(TRIALS, store).outcomes()
    numbers = [
        (
            trial.seed,
            found.status,
            found.accuracy,
            found.test_loss,
            found.train_losses,
            found.not_learning,
            found.params,
        )
        for trial, found in outcomes.items()
    ]
    return numbers, {file.name: file.read_bytes() for file in (store / "weights").glob("*.safetensors")}


def test_the_undisturbed_table_is_whole(undisturbed):
    numbers, weights = undisturbed
    assert len(numbers) == len(weights) == 12 and len({row[3] for row in numbers}) == 12


def test_a_driver_that_is_killed_loses_nothing_and_frees_the_store(tmp_path, undisturbed):
    store = tmp_path / "store"
    with Driver(store) as first:
        first.until("ended", 3)
        first.until("epoch", 2)
        os.kill(first.job.pid, signal.SIGSTOP)  # or it may have ended before the second has begun
        with Driver(store) as second:
            code, _, error = second.end()
        refused = f"another driver runs a study in {store}: process {first.job.pid} on"
        assert code == 1 and refused in error, error
    missing = Study(TRIALS, store).missing()
    assert 0 < len(missing) <= 9, "some had ended and some had not"
    with Driver(store) as third:
        code, out, error = third.end()
    assert code == 0, error
    assert out.split().count("ended") == len(missing), "what had ended is not run again"
    assert table(store) == undisturbed


def test_a_worker_that_is_killed_is_replaced(tmp_path, undisturbed):
    store = tmp_path / "store"
    with Driver(store) as driver:
        driver.until("ended", 2)
        driver.until("epoch", 1)
        os.kill(driver.workers()[0], signal.SIGKILL)
        code, _, error = driver.end()
    assert code == 0, error
    assert table(store) == undisturbed


def test_sigterm_ends_driver_and_workers_with_a_checkpoint(tmp_path, undisturbed):
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
