"""Run trials in processes on this machine: one per core with one thread each, or one or more per GPU.

On a CPU, a small network keeps one core busy and no more: two trainings of one thread each finish 1.2 to 1.5 times sooner
than one with two threads (measured on 2 cores). With one thread, a trial's outcome also does not depend on what runs at the
same time. `sharing` tells how many workers a GPU has.

This module has its own pool because the one in `concurrent.futures` breaks as a whole when one of its processes dies.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ...design.trial import Trial
from ...errors import AblationError
from .events import ATTEMPTS, Event, environment_variables, final_event
from .sharing import Places, place
from .worker import FAULTS, configure_worker, release_gpu_memory, run_and_catch
from .worker import run_trial as _run

_GRACE_SECONDS = 20.0  # time that workers have to finish their step and write a checkpoint


def run_locally(
    trials: Sequence[Trial],
    directory: Path,
    workers: int | None = None,
    run_options: Mapping[str, Any] | None = None,
) -> Generator[Event, None, None]:
    """Run trials in separate processes and yield what happens to them.

    A worker that dies or whose trial raises an error is replaced, and the trial resumes from its checkpoint. A trial that dies
    or raises three times ends as failed; an invalid trial fails immediately. The other trials continue. Where trials that
    share a GPU need more memory than it has, one worker fewer uses it from then on.

    Args:
        trials: what to run.
        directory: where weights and checkpoints are written.
        workers: number of processes; by default as many as `place` tells.
        run_options: options of `run`, by name.

    Raises:
        AblationError: if no worker can start, or this machine does not have the device.
    """
    pool = _Pool(trials, directory, place(trials, workers, run_options), run_options or {})
    try:
        while pool.busy:
            yield from pool.wait_for_events()
    finally:
        pool.stop()


class _Worker:
    """A process, the pipe to it, and the trial it runs."""

    def __init__(self, number: int, gpu: str | None, threads: int, run_options: Mapping[str, Any]) -> None:
        self.number, self.gpu = number, gpu  # as CUDA_VISIBLE_DEVICES names it; "" hides all, None hides none
        self.task: tuple[Trial, int] | None = None  # the trial and the number of the attempt
        self.ready = False
        self.replaced = True  # when it dies
        context = multiprocessing.get_context("spawn")  # forking a process that has threads may hang
        self.pipe, theirs = context.Pipe()
        # Not a daemon: daemons may not have child processes, and the data loader needs them.
        self.process = context.Process(
            target=_work,
            args=(theirs, configure_worker, _run, threads, dict(run_options)),
            name=f"ablation-{number}",
            daemon=False,
        )
        with environment_variables({"CUDA_VISIBLE_DEVICES": gpu}):
            self.process.start()
        theirs.close()  # so that the pipe closes when the process ends

    def messages(self) -> Iterator[tuple[str, Any]]:
        """Yield the messages that have arrived, without waiting."""
        try:
            while self.pipe.poll():
                yield self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()

    def cause_of_death(self) -> str:
        """Describe how the process ended."""
        code = self.process.exitcode or 0
        if code < 0:
            name = signal.Signals(-code).name
            hint = ", possibly because memory ran out: try fewer workers" if -code == signal.SIGKILL else ""
            return f"its process was killed by {name}{hint}"
        return f"its process ended with exit code {code}"


class _Pool:
    """Workers, and the trials that wait for one."""

    def __init__(
        self, trials: Sequence[Trial], directory: Path, places: Places, run_options: Mapping[str, Any]
    ) -> None:
        self.waiting = deque((trial, 1) for trial in trials)
        self.directory, self.places, self.run_options = directory, places, run_options
        self.failed_starts = 0
        self.workers: list[_Worker] = []
        try:
            for number in range(min(places.at_a_time, len(self.waiting))):
                self.workers.append(self._new(number))
        except BaseException:
            self.stop()
            raise

    @property
    def busy(self) -> bool:
        return bool(self.waiting) or any(worker.task for worker in self.workers)

    def wait_for_events(self) -> Iterator[Event]:
        """Wait until a worker sends a message or dies, and yield the resulting events."""
        ready = wait([*(worker.pipe for worker in self.workers), *(worker.process.sentinel for worker in self.workers)])
        gone = []
        for i, worker in enumerate(self.workers):
            if worker.pipe not in ready and worker.process.sentinel not in ready:
                continue
            dead = not worker.process.is_alive()  # checked first: everything that it sent is in the pipe by then
            for kind, content in worker.messages():
                yield from self._on_message(worker, kind, content)
            if dead or not worker.process.is_alive():
                yield from self._on_death(worker)
                gone.append(worker)
                alive = sum(other.process.is_alive() for other in self.workers)
                if worker.replaced and alive < self._wanted():
                    self.workers[i] = self._new(worker.number)
        # A worker that dies after this point is handled in the next call.
        self.workers = [worker for worker in self.workers if worker not in gone]
        yield from self._assign()

    def stop(self) -> None:
        """Stop all workers. Busy ones first finish their step and write a checkpoint, if there is time."""
        for worker in self.workers:
            if worker.process.is_alive():
                worker.process.terminate()
        try:
            deadline = time.monotonic() + _GRACE_SECONDS
            for worker in self.workers:
                worker.process.join(max(0.0, deadline - time.monotonic()))
        finally:  # also after a second interrupt
            for worker in self.workers:
                worker.process.kill()
                worker.process.join()
                worker.pipe.close()

    def _wanted(self) -> int:
        return len(self.waiting) + sum(worker.task is not None and worker.process.is_alive() for worker in self.workers)

    def _new(self, number: int) -> _Worker:
        gpus = self.places.gpus
        # GPUs that a worker does not use are hidden from it: saving torch's random state would open a context on each.
        hide = "" if self.run_options.get("device") == "cpu" else None
        gpu = gpus[number % len(gpus)] if gpus else hide
        return _Worker(number, gpu, self.places.threads, self.run_options)

    def _share(self, worker: _Worker) -> int:
        """Return how many workers use the GPU of a worker; 1 without a GPU."""
        if not self.places.gpus:
            return 1
        return sum(other.gpu == worker.gpu and other.process.is_alive() for other in self.workers)

    def _on_message(self, worker: _Worker, kind: str, content: Any) -> Iterator[Event]:
        if kind == "ready":
            self.failed_starts = 0
            worker.ready = True
        elif worker.task is None:
            return
        else:
            trial, attempt = worker.task
            if kind == "epoch":
                epoch, epochs, loss = content
                yield Event(trial, "epoch", attempt, epoch, epochs, loss)
                return
            worker.task = None
            others = self._share(worker) - 1
            if kind in FAULTS:
                worker.process.kill()
                worker.process.join()
            if kind == "no memory" and others:  # not the trial's own fault, and at most once per worker of the GPU
                worker.replaced = False
                self.waiting.appendleft((trial, attempt))
            else:
                yield from self._on_end(trial, attempt, kind, content)

    def _assign(self) -> Iterator[Event]:
        """Give waiting trials to idle workers."""
        for worker in self.workers:
            if self.waiting and worker.ready and worker.task is None and worker.process.is_alive():
                worker.task = self.waiting.popleft()
                with suppress(OSError):  # it died in the meantime, which is handled as a death
                    worker.pipe.send((worker.task[0], self.directory, self._share(worker)))
                yield Event(worker.task[0], "started", worker.task[1])

    def _on_death(self, worker: _Worker) -> Iterator[Event]:
        if not worker.ready:
            self.failed_starts += 1
            if self.failed_starts == ATTEMPTS:
                raise AblationError(
                    f"no worker could start: {worker.cause_of_death()} (its own message is printed above). "
                    "A program that runs a study must do so under `if __name__ == '__main__':`"
                )
        worker.pipe.close()
        task, worker.task = worker.task, None
        if task:
            yield from self._on_end(*task, "died", worker.cause_of_death())

    def _on_end(self, trial: Trial, attempt: int, kind: str, content: Any) -> Iterator[Event]:
        event = final_event(trial, attempt, kind, content)
        if event:
            yield event
        else:
            self.waiting.appendleft((trial, attempt + 1))


def _work(pipe: Connection, configure: Any, run: Any, threads: int, run_options: Mapping[str, Any]) -> None:
    """Run trials until the driver stops this worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, which stops its workers
    threading.Thread(target=_exit_with_driver, daemon=True).start()
    configure(threads)
    pipe.send(("ready", None))

    def report(epoch: int, epochs: int, loss: float) -> None:
        pipe.send(("epoch", (epoch, epochs, loss)))

    try:
        while True:
            trial, directory, share = pipe.recv()
            if not _driver_lives():
                return  # its trials belong to the next driver
            kind, content = run_and_catch(run, trial, directory, report, run_options, share)
            pipe.send((kind, content))
            if kind not in FAULTS:
                release_gpu_memory()  # which other workers may use while this one has no trial
    except (KeyboardInterrupt, EOFError, OSError):  # stopped by a signal, or the pipe was closed
        return


def _driver_lives() -> bool:
    driver = multiprocessing.parent_process()
    return driver is None or driver.is_alive()


def _exit_with_driver() -> None:
    """Exit when the driver does: a driver that was killed cannot stop its workers."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)
