"""Trials in processes of this machine: one per core with one thread each, or one per GPU.

Small networks keep one core busy and no more; two trainings of one thread each end 1.2 to 1.5 times sooner than one
with two threads (measured on 2 cores). A thread of its own also makes a trial's outcome independent of what runs
beside it.

The pool is our own: that of `concurrent.futures` breaks as a whole when one of its processes dies.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from ...errors import AblationError
from ..environment import cores
from ..trial import Trial
from .events import ATTEMPTS, Event
from .working import answer, end_of, settle, variables
from .working import run_trial as _run

_GRACE_SECONDS = 20.0  # for workers to finish their step and write a checkpoint


def locally(trials: Sequence[Trial], directory: Path, workers: int | None = None) -> Generator[Event, None, None]:
    """Run trials in processes of their own and yield what happens to them.

    A worker that dies is replaced, and its trial taken up again from its checkpoint. A trial that dies or raises three times
    ends as failed; one that cannot be run at all, being asked for wrongly, fails at once. The others go on.

    Args:
        trials: what to run.
        directory: gets weights and checkpoints.
        workers: processes at a time; by default one per GPU, or one per core.

    Raises:
        AblationError: if workers cannot even start.
    """
    pool = _Pool(trials, directory, workers)
    try:
        while pool.busy:
            yield from pool.turn()
    finally:
        pool.end()


class _Worker:
    """A process, the pipe to it, and the trial it was given."""

    def __init__(self, number: int, device: str | None, threads: int) -> None:
        self.number = number
        self.task: tuple[Trial, int] | None = None  # and which attempt
        self.ready = False
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads in it may hang
        self.pipe, theirs = context.Pipe()
        # Not a daemon: those may have no processes of their own, which load images.
        self.process = context.Process(
            target=_work, args=(theirs, _run, threads), name=f"ablation-{number}", daemon=False
        )
        with variables({} if device is None else {"CUDA_VISIBLE_DEVICES": device}):
            self.process.start()
        theirs.close()  # so that the pipe ends with the process

    def messages(self) -> Iterator[tuple[str, Any]]:
        """What it sent, without waiting."""
        try:
            while self.pipe.poll():
                yield self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()

    def end_of(self) -> str:
        """How the process died, in words."""
        code = self.process.exitcode or 0
        if code < 0:
            name = signal.Signals(-code).name
            hint = ", perhaps for want of memory: try fewer workers" if -code == signal.SIGKILL else ""
            return f"its process was killed by {name}{hint}"
        return f"its process ended with exit code {code}"


class _Pool:
    """Workers, and the trials that wait for one."""

    def __init__(self, trials: Sequence[Trial], directory: Path, workers: int | None) -> None:
        self.waiting = deque((trial, 1) for trial in trials)
        self.directory = directory
        self.devices = _gpus()
        at_a_time = workers or len(self.devices) or cores()
        self.threads = max(1, cores() // at_a_time) if self.devices else 1
        self.stillborn = 0
        self.workers: list[_Worker] = []
        try:
            for number in range(min(at_a_time, len(self.waiting))):
                self.workers.append(self._new(number))
        except BaseException:
            self.end()
            raise

    @property
    def busy(self) -> bool:
        return bool(self.waiting) or any(worker.task for worker in self.workers)

    def turn(self) -> Iterator[Event]:
        """Wait until a worker has something to say or dies, and yield what that means."""
        ready = wait([*(worker.pipe for worker in self.workers), *(worker.process.sentinel for worker in self.workers)])
        gone = []
        for i, worker in enumerate(self.workers):
            if worker.pipe not in ready and worker.process.sentinel not in ready:
                continue
            dead = not worker.process.is_alive()  # asked first: whatever it sent is in the pipe by then
            for kind, content in worker.messages():
                yield from self._heard(worker, kind, content)
            if dead or not worker.process.is_alive():
                yield from self._died(worker)
                gone.append(worker)
                if sum(other.process.is_alive() for other in self.workers) < self._wanted():
                    self.workers[i] = self._new(worker.number)
        self.workers = [worker for worker in self.workers if worker not in gone]  # who dies from here on: the next turn
        yield from self._feed()

    def end(self) -> None:
        """End every worker: those at work finish their step and write a checkpoint first, if they can in time."""
        for worker in self.workers:
            if worker.process.is_alive():
                worker.process.terminate()
        try:
            deadline = time.monotonic() + _GRACE_SECONDS
            for worker in self.workers:
                worker.process.join(max(0.0, deadline - time.monotonic()))
        finally:  # also when interrupted once more
            for worker in self.workers:
                worker.process.kill()
                worker.process.join()
                worker.pipe.close()

    def _wanted(self) -> int:
        return len(self.waiting) + sum(worker.task is not None and worker.process.is_alive() for worker in self.workers)

    def _new(self, number: int) -> _Worker:
        return _Worker(number, self.devices[number % len(self.devices)] if self.devices else None, self.threads)

    def _heard(self, worker: _Worker, kind: str, content: Any) -> Iterator[Event]:
        if kind == "ready":
            self.stillborn = 0
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
            yield from self._ended(trial, attempt, kind, content)

    def _feed(self) -> Iterator[Event]:
        """Give the workers that have nothing to do what waits."""
        for worker in self.workers:
            if self.waiting and worker.ready and worker.task is None and worker.process.is_alive():
                worker.task = self.waiting.popleft()
                with suppress(OSError):  # it died meanwhile, which is dealt with as a death
                    worker.pipe.send((worker.task[0], self.directory))
                yield Event(worker.task[0], "started", worker.task[1])

    def _died(self, worker: _Worker) -> Iterator[Event]:
        if not worker.ready:
            self.stillborn += 1
            if self.stillborn == ATTEMPTS:
                raise AblationError(
                    f"no worker could start: {worker.end_of()} (its own message stands above). "
                    "A program that runs a study must do so below `if __name__ == '__main__':`"
                )
        worker.pipe.close()
        task, worker.task = worker.task, None
        if task:
            yield from self._ended(*task, "died", worker.end_of())

    def _ended(self, trial: Trial, attempt: int, kind: str, content: Any) -> Iterator[Event]:
        end = end_of(trial, attempt, kind, content)
        if end:
            yield end
        else:
            self.waiting.appendleft((trial, attempt + 1))


def _gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return named.split(",")[:count] if named else [str(i) for i in range(count)]


def _work(pipe: Connection, run: Any, threads: int) -> None:
    """What a worker does until its driver ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, which ends its workers
    threading.Thread(target=_end_with_driver, daemon=True).start()
    settle(threads)
    pipe.send(("ready", None))

    def report(epoch: int, epochs: int, loss: float) -> None:
        pipe.send(("epoch", (epoch, epochs, loss)))

    try:
        while True:
            trial, directory = pipe.recv()
            pipe.send(answer(run, trial, directory, report))
    except (KeyboardInterrupt, EOFError, OSError):  # told to end, by a signal or a pipe that is closed
        return


def _end_with_driver() -> None:
    """A driver that was killed cannot end its workers, so each watches it."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)
