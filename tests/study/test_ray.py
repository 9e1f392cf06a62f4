"""The Ray engine on a cluster of two nodes: after any failure, results equal those of the local engine, bit for bit."""

import os
import re
import signal
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from ablation import AblationError, Study, Trial
from ablation.study.engines import ATTEMPTS, run_on_ray
from tests.commands.running import ablation
from tests.study.samples import SHORT, TINY, alive
from tests.study.test_engines import _fake_run, check_ends
from tests.study.test_survival import Driver

TRIALS = [Trial(TINY, SHORT.replace(epochs=8), "digits#320", seed) for seed in range(12)]
LONG = Trial(TINY, SHORT.replace(epochs=100_000), "digits#320", 0)
WAIT_SECONDS = 300  # generous, for a machine under load


class RayDriver(Driver):
    """A study of the first trials in another process, on the cluster at an address or on a new Ray instance."""

    program = (
        "import sys\n"
        "from tests.study.test_ray import *\n"
        "if __name__ == '__main__':\n"
        "    Study(TRIALS[: int(sys.argv[3])], sys.argv[1], engine='ray', address=sys.argv[2] or None).run(\n"
        "        workers=1, on_event=lambda event: print(event.kind, flush=True))\n"
    )


def table(store, trials=TRIALS):
    """Return the results of a study that must not depend on time: numbers of the outcomes and bytes of the weights."""
    study = Study(trials, store)
    numbers = {
        trial.seed: (out.status, out.accuracy, out.test_loss, out.train_losses, out.environment["threads"])
        for trial, out in study.outcomes().items()
    }
    files = {trial.seed: store / "weights" / f"{study._key(trial)}.safetensors" for trial in study.outcomes()}
    assert {file.name for file in files.values()} == {
        file.name for file in (store / "weights").iterdir() if file.is_file()
    }
    return {seed: (*row, files[seed].read_bytes()) for seed, row in numbers.items()}


def descendants(process):
    """Return all descendants of a process, without zombies; direct children come first."""
    found = []
    with suppress(OSError):  # the process has just ended
        for file in Path(f"/proc/{process}/task").glob("*/children"):  # of each thread
            found += [int(pid) for pid in file.read_text().split() if alive(pid)]
    return found + [pid for child in found for pid in descendants(child)]


def command_of(process):
    """Return the command line or current title of a process; "" if it has just ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def processes_titled(title, process=None):
    """Return the descendants of a process, by default this one, whose title starts as given."""
    return [pid for pid in descendants(process or os.getpid()) if command_of(pid).startswith(title)]


def ray_processes():
    """Return the tasks and actors of this process's Ray cluster."""
    return processes_titled("ray::_work") + processes_titled("ray::_EventQueue")


def wait_until(condition):
    """Wait for a condition; return whether it was met in time."""
    end = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    Study(TRIALS, store).run(workers=2)
    results = table(store)
    assert len(results) == 12 and len({row[2] for row in results.values()}) == 12
    return results


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """Start a cluster of two nodes with one CPU each; a test may remove the second one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        if sys.dont_write_bytecode:  # otherwise each of Ray's many processes compiles all modules again
            patch.setenv("PYTHONDONTWRITEBYTECODE", "")
            patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        from ray.cluster_utils import Cluster

        cluster = Cluster()
        before = signal.getsignal(signal.SIGTERM)
        options = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
        try:
            for _ in range(2):
                retry_start(lambda: cluster.add_node(num_cpus=1, **options))
            signal.signal(signal.SIGTERM, before)  # Ray's handler stops the node, but not this process
            yield cluster
        finally:
            signal.signal(signal.SIGTERM, before)
            tracker = "multiprocessing.resource_tracker"  # of the local engine; lives as long as this process
            processes = [pid for pid in descendants(os.getpid()) if tracker not in command_of(pid)]
            cluster.shutdown()
            wait_until(lambda: not any(map(alive, processes)))
            left = [command_of(pid) for pid in processes if alive(pid)]
    assert not left, "all processes of Ray end with the cluster"


def retry_start(start):
    """Start Ray, with up to two retries: on a machine under load it may exceed its own limit of 15 seconds."""
    for left in (2, 1, 0):
        try:
            return start()
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise


@pytest.fixture
def address(nodes):
    return nodes.address


def test_a_killed_worker_is_replaced(tmp_path, address, undisturbed):
    attempts, killed = {}, []

    def kill_one(event):
        attempts[event.trial.seed] = max(event.attempt, attempts.get(event.trial.seed, 0))
        waited = not killed or time.monotonic() - killed[-1] > 30  # the replacement takes seconds to start
        if event.kind == "epoch" and max(attempts.values()) == 1 and waited:
            for pid in processes_titled("ray::_work")[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(time.monotonic())

    Study(TRIALS, tmp_path, engine="ray", address=address).run(on_event=kill_one)
    assert killed and max(attempts.values()) > 1, "one trial was resumed"
    assert table(tmp_path) == undisturbed


def test_a_killed_driver_loses_no_finished_trial(tmp_path, address, undisturbed):
    store = tmp_path / "store"
    first = RayDriver(store, address, "12")
    first.until("ended", 3)
    first.job.kill()
    first.end()
    missing = Study(TRIALS, store).missing()
    assert 0 < len(missing) <= 9, "some trials had finished and some had not"
    assert wait_until(lambda: not ray_processes()), "tasks end with their driver"
    code, out, error = RayDriver(store, address, "12").end()
    assert code == 0 and not error, error
    assert set(out.split()) == {"started", "epoch", "ended"}, out
    assert out.split().count("ended") == len(missing), "finished trials are not run again"
    assert table(store) == undisturbed


def test_without_an_address_an_instance_is_started_and_stopped(tmp_path, nodes, undisturbed, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE")
    store = tmp_path / "store"
    addresses, folders = set(), set()

    def run():
        with RayDriver(store, "", "6") as driver:
            driver.until("started", 1)
            for pid in (driver.job.pid, *descendants(driver.job.pid)):
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(pid)
                    sockets = process.net_connections("inet")
                    addresses.update(socket.laddr.ip for socket in sockets if socket.status == psutil.CONN_LISTEN)
                    if process.name() == "raylet":
                        assert process.environ()["RAY_AUTH_MODE"] == "token"
                        folders.update(re.findall(r"[^\s=]*/ablation-ray-[^/\s]+", " ".join(process.cmdline())))
            assert all(stat.S_IMODE(Path(folder).stat().st_mode) == 0o700 for folder in folders)
            return driver.end()

    code, out, error = retry_start(run)
    assert code == 0 and not error, error
    assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}, "no other machine can reach it"
    assert len(folders) == 1 and not Path(folders.pop()).exists()
    assert out.split().count("ended") == 6
    assert table(store, TRIALS[:6]) == {seed: undisturbed[seed] for seed in range(6)}


def test_closing_the_engine_checkpoints_and_ends_tasks_and_actor(tmp_path, address):
    events = run_on_ray([LONG], tmp_path, address=address)
    while next(events).kind != "epoch":
        pass
    assert processes_titled("ray::_EventQueue")
    handler = signal.getsignal(signal.SIGTERM)
    events.close()
    assert list(tmp_path.glob("checkpoints/*/0*-0*/manifest.json"))
    assert wait_until(lambda: not ray_processes())
    assert not list(tmp_path.glob(".seen-*"))
    assert signal.getsignal(signal.SIGTERM) is handler


def test_trials_are_attempted_three_times_and_the_others_continue(tmp_path, address, monkeypatch):
    monkeypatch.setattr("ablation.study.engines.ray._run", _fake_run)
    events = list(run_on_ray(TRIALS[:4], tmp_path, address=address))
    check_ends(events)
    reported = [(event.kind, event.attempt) for event in events if event.trial.seed == 2]
    assert reported == [*((kind, attempt) for attempt in (1, 2, 3) for kind in ("started", "epoch")), ("ended", 3)]


def test_a_folder_that_a_node_does_not_see_is_reported(tmp_path, address, monkeypatch):
    monkeypatch.setattr(Path, "touch", lambda path: None)
    with pytest.raises(AblationError, match=f"the node .* does not see the folder {tmp_path}"):
        list(run_on_ray(TRIALS, tmp_path, address=address))


def test_nodes_that_are_too_small_are_reported(tmp_path, address):
    with pytest.raises(AblationError, match=r"1 CPUs and 1 GPUs, but no node .* 1 and 0, 1 and 0"):
        list(run_on_ray(TRIALS, tmp_path, address=address, gpus=1))


def test_invalid_options_are_refused_before_any_work(tmp_path, monkeypatch, capsys):
    def study(**options):
        return Study(TRIALS, tmp_path, **options)

    with pytest.raises(AblationError, match="unknown engine 'rye'"):
        study(engine="rye")
    with pytest.raises(AblationError, match=r"option of engine 'ray'.* 'adress'; did you mean 'address'"):
        study(engine="ray", adress="auto")
    with pytest.raises(AblationError, match="engine 'local' has no option 'gpus'; engine 'ray' has it"):
        study(gpus=1)
    for wrong in ({"cpus": 0}, {"cpus": float("nan")}, {"gpus": -1}, {"gpus": 1.5}):
        with pytest.raises(AblationError, match=f"{next(iter(wrong))} .* must be"):
            study(engine="ray", **wrong)
    for command in ("roadmap", "study"):
        arguments = [command, *(["ladder"] if command == "study" else []), "--store", tmp_path, "--out", tmp_path]
        code, out, error = ablation(*arguments, "--address", "auto", capsys=capsys)
        assert code == 2 and not out and "engine 'local' has no option 'address'" in error
        code, out, error = ablation(*arguments, "--engine", "ray", "--cpus", "0", capsys=capsys)
        assert code == 2 and not out and "cpus 0.0 must be" in error
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(AblationError, match=r'pip install "convnext-ablation\[scale\]"'):
        study(engine="ray").run()


def test_an_unreachable_address_is_reported(tmp_path):
    began = time.monotonic()
    with pytest.raises(AblationError, match=r"no Ray cluster can be reached at 127\.0\.0\.1:1: Connection refused"):
        list(run_on_ray(TRIALS, tmp_path, address="127.0.0.1:1"))
    assert time.monotonic() - began < 60
    for wrong in ("ray://127.0.0.1:10001", "127.0.0.1", ":1"):
        with pytest.raises(AblationError, match="Possible: HOST:PORT"):
            list(run_on_ray(TRIALS, tmp_path, address=wrong))


def test_a_lost_node_does_not_change_the_results(tmp_path, nodes, undisturbed):
    attempts = []
    (lost,) = nodes.worker_nodes
    raylet = lost.all_processes["raylet"][0].process.pid

    def lose_one(event):
        attempts.append(event.attempt)
        if nodes.worker_nodes and event.kind == "epoch" and processes_titled("ray::_work", raylet):
            for pid in descendants(raylet):  # together, as when a machine fails; otherwise they outlive it by a second
                os.kill(pid, signal.SIGKILL)
            nodes.remove_node(lost, allow_graceful=False)

    Study(TRIALS, tmp_path, engine="ray", address=nodes.address).run(on_event=lose_one)
    assert not nodes.worker_nodes and 1 < max(attempts) <= ATTEMPTS
    assert table(tmp_path) == undisturbed
