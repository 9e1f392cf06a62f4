"""Workers that share a GPU, on invented GPUs: who uses which, and what happens where memory runs out."""

import os
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import pytest

from ablation import AblationError, Study, Trial
from ablation.study import shared_speed
from ablation.study.engines import Event, local, run_locally, sharing
from ablation.study.engines.sharing import Machine
from ablation.study.engines.worker import run_and_catch
from tests.study.samples import SHORT, TINY, TRIALS, configure_nothing, outcome


@pytest.fixture(autouse=True)
def workers_without_torch(monkeypatch):
    """For the same reason, nothing in this module imports torch before a test runs: workers import the module."""
    for module in ("engines.local", "shared_speed"):
        monkeypatch.setattr(f"ablation.study.{module}.configure_worker", configure_nothing)


@pytest.fixture
def gpus(monkeypatch):
    """Return a function that makes this machine one with some GPUs, under the names they have in CUDA_VISIBLE_DEVICES."""
    real = sharing.this_machine

    def make(*names):
        def machine(device="auto"):
            return real("cpu") if device == "cpu" else Machine("cuda", 4, names)

        monkeypatch.setattr(sharing, "this_machine", machine)

    return make


def _visible(trial, directory, progress, **options):
    """Return the GPUs that are visible in place of an outcome's environment, once all workers have started."""
    (Path(directory) / f"{os.getpid()}").touch()
    while len(list(Path(directory).iterdir())) < 2:
        time.sleep(0.01)
    return outcome(environment={"visible": os.environ["CUDA_VISIBLE_DEVICES"], "options": options})


def ends(events):
    """Return the final event of each seed."""
    return {event.trial.seed: event for event in events if event.kind == "ended"}


def test_each_worker_uses_one_gpu_and_has_the_options_of_run(tmp_path, gpus, monkeypatch):
    gpus("5", "3")
    monkeypatch.setattr("ablation.study.engines.local._run", _visible)
    found = ends(run_locally(TRIALS[:2], tmp_path, run_options={"precision": "bf16"}, workers=2))
    environments = sorted((event.outcome.environment for event in found.values()), key=lambda one: one["visible"])
    assert environments == [{"visible": name, "options": {"precision": "bf16"}} for name in ("3", "5")]


def test_gpus_are_hidden_from_a_study_on_the_cpu(tmp_path, gpus):
    gpus("0")
    trials = [TRIALS[0]]
    pool = local._Pool([], tmp_path, sharing.place(trials, run_options={"device": "cpu"}), {"device": "cpu"})
    asked = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(local, "_Worker", lambda number, gpu, *others: asked.append(gpu))
        pool._new(0)
        pool.run_options = {}
        pool._new(0)
    assert asked == ["", None]


def _too_large(trial, directory, progress):
    """Seed 1 needs more memory than there is, which is found while seed 0 runs."""
    beside, found = Path(directory) / "beside", Path(directory) / "found"
    if trial.seed == 1:
        while not beside.exists():
            time.sleep(0.01)
        found.touch()
        raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB.\nSee documentation")
    beside.touch()
    while not found.exists():
        time.sleep(0.01)
    return outcome()


def test_where_memory_runs_out_one_worker_fewer_shares_the_gpu(tmp_path, gpus, monkeypatch):
    gpus("0")
    monkeypatch.setattr("ablation.study.engines.local._run", _too_large)
    monkeypatch.setattr("ablation.study.engines.events.ATTEMPTS", 1)
    trials = [TRIALS[1], TRIALS[0], TRIALS[2]]
    events = list(run_locally(trials, tmp_path, workers=2))
    found = ends(events)
    assert found[0].outcome.environment["trials_per_device"] == 2
    assert "trials_per_device" not in found[2].outcome.environment, "the other worker was not replaced"
    starts = [event.trial.seed for event in events if event.kind == "started"]
    assert starts.count(1) == 2 and found[1].attempt == 1, "an attempt beside others does not count"
    reason = found[1].outcome.reason
    assert "seed 1, batch_size 64, on digits: the device, which it had alone, has too little memory" in reason
    assert reason.endswith("RuntimeError: CUDA out of memory. Tried to allocate 20.00 MiB.")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), "no memory"),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "no memory"),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), "no memory"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "raised"),
        (MemoryError(), "raised"),
        (AblationError("no such model"), "refused"),
    ],
)
def test_a_lack_of_memory_is_told_from_other_errors(error, kind, tmp_path):
    def broken(*arguments):
        raise error

    found, message = run_and_catch(broken, TRIALS[0], tmp_path, print, {}, share=4)
    assert found == kind
    assert ("which 4 trials shared, has too little memory. Possible: fewer workers" in message) == (kind == "no memory")


def test_torch_says_that_memory_ran_out(tmp_path):
    import torch

    def broken(*arguments):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    assert run_and_catch(broken, TRIALS[0], tmp_path, print, {})[0] == "no memory"


def test_options_of_run_reach_it_and_outcomes_of_another_precision_are_refused(tmp_path):
    from ablation import run

    def engine(trials, directory, run_options):
        yield Event(trials[0], "ended", outcome=run(trials[0], directory, keep=True, **run_options))

    trial = Trial(TINY, SHORT, "digits#320")
    (found,) = Study([trial], tmp_path, engine, run_options={"precision": "bf16"}).run().values()
    assert found.environment["precision"] == "bf16"
    assert Study([trial], tmp_path, run_options={"precision": "bf16"}).missing() == ()
    assert Study([trial], tmp_path).missing() == ()
    with pytest.raises(AblationError, match=r"was trained with precision bf16 .* this study trains with fp32"):
        Study([trial], tmp_path, run_options={"precision": "no"}).missing()


@pytest.mark.parametrize(("given", "nearest"), [("precison", "; did you mean 'precision'"), ("keep", ".*Possible")])
def test_options_that_run_does_not_have_are_refused(given, nearest, tmp_path):
    with pytest.raises(AblationError, match=f"unknown run option '{given}'{nearest}"):
        Study(TRIALS, tmp_path, run_options={given: 1})


@contextmanager
def counted():
    """Yield a step that takes 1 s, and 5 s from the fourteenth on: for the first process, once the others take steps."""
    steps = iter([1.0] * 13 + [5.0] * 10)
    yield lambda: next(steps)


@contextmanager
def without_memory():
    raise RuntimeError("CUDA out of memory")
    yield


def test_slower_steps_beside_others_are_measured():
    assert shared_speed.slowdown(counted, (), 2, None, 1) == 3, "the median of 5 and 1"


def test_processes_that_do_not_fit_together_are_as_slow_as_one_after_another(monkeypatch):
    def broken(*arguments):
        raise BrokenProcessPool("killed")

    monkeypatch.setattr(shared_speed, "ProcessPoolExecutor", broken)
    assert shared_speed.slowdown(counted, (), 4, None, 1) == 4
    monkeypatch.setattr(shared_speed, "_all_ready", threading.Barrier(2))
    with pytest.raises(RuntimeError, match="out of memory"):
        shared_speed._measure(without_memory, (), True)
    assert shared_speed._all_ready.broken, "the others do not wait"
