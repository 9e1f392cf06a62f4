"""The Ray engine on a cluster of two nodes: whatever is lost on the way, the table is that of the local engine, bit for bit."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from ablation import AblationError, Study, Trial
from ablation.study.engines import ATTEMPTS, on_ray
from tests.study.test_engines import _act, check_ends
from tests.study.test_store import SHORT, TINY
from tests.study.test_study import alive
from tests.study.test_survival import Driver
from tests.test_cli import ablation

TRIALS = [Trial(TINY, SHORT.replace(epochs=8), "digits#320", seed) for seed in range(12)]
LONG = Trial(TINY, SHORT.replace(epochs=100_000), "digits#320", 0)
PATIENCE = 300  # seconds for what must come about, on a machine that is hard at work


class RayDriver(Driver):
    """A study of the first trials in a process of its own, at an address or, without one, in an instance of its own."""

    program = (
        "import sys\n"
        "from tests.study.test_ray import *\n"
        "if __name__ == '__main__':\n"
        "    Study(TRIALS[: int(sys.argv[3])], sys.argv[1], engine='ray', address=sys.argv[2] or None).run(\n"
        "        workers=1, on_event=lambda event: print(event.kind, flush=True))\n"
    )


def table(store, trials=TRIALS):
    """What a study came to: every number that may not depend on time, and the bytes of the weights."""
    study = Study(trials, store)
    numbers = {
        trial.seed: (found.status, found.accuracy, found.test_loss, found.train_losses, found.environment["threads"])
        for trial, found in study.outcomes().items()
    }
    files = {trial.seed: store / "weights" / f"{study._key(trial)}.safetensors" for trial in study.outcomes()}
    assert {file.name for file in files.values()} == {
        file.name for file in (store / "weights").iterdir() if file.is_file()
    }
    return {seed: (*row, files[seed].read_bytes()) for seed, row in numbers.items()}


def descendants(process):
    """Every process below one, the farther ones last; a zombie is none."""
    found = []
    with suppress(OSError):  # it has just ended
        for file in Path(f"/proc/{process}/task").glob("*/children"):  # of each thread
            found += [int(pid) for pid in file.read_text().split() if alive(pid)]
    return found + [pid for child in found for pid in descendants(child)]


def command_of(process):
    """What a process was started as, or calls itself by now; "" if it has just ended."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return ""


def named(title, process=None):
    """The processes below one, by default this, that Ray gave a title."""
    return [pid for pid in descendants(process or os.getpid()) if command_of(pid).startswith(title)]


def comes_about(condition):
    """Whether a condition is met before patience ends."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    Study(TRIALS, store).run(workers=2)
    whole = table(store)
    assert len(whole) == 12 and len({row[2] for row in whole.values()}) == 12
    return whole


@pytest.fixture(scope="module")
def nodes(tmp_path_factory):
    """A cluster of two nodes with a CPU each; the second one may be removed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_AUTH_MODE", "disabled")
        if sys.dont_write_bytecode:  # each of Ray's many processes would compile it all anew
            patch.setenv("PYTHONDONTWRITEBYTECODE", "")
            patch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.mktemp("compiled")))
        from ray.cluster_utils import Cluster

        there = Cluster()
        before = signal.getsignal(signal.SIGTERM)
        light = {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
        try:
            for _ in range(2):
                patiently(lambda: there.add_node(num_cpus=1, **light))
            signal.signal(signal.SIGTERM, before)  # that of a node ends the node, and this process goes on
            yield there
        finally:
            signal.signal(signal.SIGTERM, before)
            own = "multiprocessing.resource_tracker"  # of the local engine, for as long as this process lives
            processes = [pid for pid in descendants(os.getpid()) if own not in command_of(pid)]
            there.shutdown()
            comes_about(lambda: not any(map(alive, processes)))
            left = [command_of(pid) for pid in processes if alive(pid)]
    assert not left, "no process of Ray outlives its cluster"


def patiently(start):
    """Ray gives up after 15 seconds on a machine that is hard at work."""
    for left in (2, 1, 0):
        try:
            return start()
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise


@pytest.fixture
def address(nodes):
    return nodes.address


def test_a_worker_that_is_killed_is_replaced(tmp_path, address, undisturbed):
    attempts, killed = {}, []

    def kill_one(event):
        attempts[event.trial.seed] = max(event.attempt, attempts.get(event.trial.seed, 0))
        if event.kind == "epoch" and max(attempts.values()) == 1:
            for pid in named("ray::_work")[:1]:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    Study(TRIALS, tmp_path, engine="ray", address=address).run(on_event=kill_one)
    assert killed and max(attempts.values()) > 1, "one was taken up again"
    assert table(tmp_path) == undisturbed


def test_a_driver_that_is_killed_loses_nothing(tmp_path, address, undisturbed):
    store = tmp_path / "store"
    first = RayDriver(store, address, "12")
    first.until("ended", 3)
    first.job.kill()
    first.end()
    missing = Study(TRIALS, store).missing()
    assert 0 < len(missing) <= 9, "some had ended and some had not"
    assert comes_about(lambda: not named("ray::_work") and not named("ray::_Letterbox")), "tasks end with their driver"
    code, out, error = RayDriver(store, address, "12").end()
    assert code == 0 and not error, error
    assert set(out.split()) == {"started", "epoch", "ended"}, out
    assert out.split().count("ended") == len(missing), "what had ended is not run again"
    assert table(store) == undisturbed


def test_an_instance_of_its_own_is_started_and_ended(tmp_path, nodes, undisturbed, monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE")
    store = tmp_path / "store"

    def run():
        code, out, error = RayDriver(store, "", "6").end()
        if "timed out during startup" in error:
            raise RuntimeError(error)
        return code, out, error

    code, out, error = patiently(run)
    assert code == 0 and not error, error
    assert out.split().count("ended") == 6
    assert table(store, TRIALS[:6]) == {seed: undisturbed[seed] for seed in range(6)}


def test_closed_it_ends_its_tasks_with_a_checkpoint_and_leaves_no_actor(tmp_path, address):
    events = on_ray([LONG], tmp_path, address=address)
    while next(events).kind != "epoch":
        pass
    assert named("ray::_Letterbox")
    handler = signal.getsignal(signal.SIGTERM)
    events.close()
    assert list(tmp_path.glob("checkpoints/*/0*-0*/manifest.json"))
    assert comes_about(lambda: not named("ray::_work") and not named("ray::_Letterbox"))
    assert not list(tmp_path.glob(".seen-*"))
    assert signal.getsignal(signal.SIGTERM) is handler


def test_what_dies_or_raises_is_tried_three_times_and_the_others_go_on(tmp_path, address, monkeypatch):
    monkeypatch.setattr("ablation.study.engines.ray._run", _act)
    events = list(on_ray(TRIALS[:4], tmp_path, address=address))
    check_ends(events)
    told = [(event.kind, event.attempt) for event in events if event.trial.seed == 2]
    assert told == [*((kind, attempt) for attempt in (1, 2, 3) for kind in ("started", "epoch")), ("ended", 3)]


def test_a_folder_that_a_node_does_not_see_is_one_clear_message(tmp_path, address, monkeypatch):
    monkeypatch.setattr(Path, "touch", lambda path: None)
    with pytest.raises(AblationError, match=f"the folder {tmp_path} cannot be seen on the node"):
        list(on_ray(TRIALS, tmp_path, address=address))


def test_a_node_that_is_too_small_is_one_clear_message(tmp_path, address):
    with pytest.raises(AblationError, match=r"1 CPUs and 1 GPUs, but no node .* 1 and 0, 1 and 0"):
        list(on_ray(TRIALS, tmp_path, address=address, gpus=1))


def test_mistakes_are_told_before_any_work(tmp_path, monkeypatch, capsys):
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


def test_an_address_that_cannot_be_reached_is_one_clear_message(tmp_path):
    began = time.monotonic()
    with pytest.raises(AblationError, match=r"no Ray cluster can be reached at 127\.0\.0\.1:1: Connection refused"):
        list(on_ray(TRIALS, tmp_path, address="127.0.0.1:1"))
    assert time.monotonic() - began < 60
    for wrong in ("ray://127.0.0.1:10001", "127.0.0.1", ":1"):
        with pytest.raises(AblationError, match="Possible: HOST:PORT"):
            list(on_ray(TRIALS, tmp_path, address=wrong))


def test_a_node_that_is_lost_costs_nothing_but_time(tmp_path, nodes, undisturbed):
    attempts = []
    (lost,) = nodes.worker_nodes
    raylet = lost.all_processes["raylet"][0].process.pid

    def lose_one(event):
        attempts.append(event.attempt)
        if nodes.worker_nodes and event.kind == "epoch" and named("ray::_work", raylet):
            for pid in descendants(raylet):  # at once, as with a machine: they would outlive it by a second
                os.kill(pid, signal.SIGKILL)
            nodes.remove_node(lost, allow_graceful=False)

    Study(TRIALS, tmp_path, engine="ray", address=nodes.address).run(on_event=lose_one)
    assert not nodes.worker_nodes and 1 < max(attempts) <= ATTEMPTS
    assert table(tmp_path) == undisturbed
