"""Run trials as tasks on a Ray cluster, on as many machines as it has.

Ray places the trials and reports a lost process or machine. Retrying them is done here, as in the local engine, so that both
engines fail in the same way. Nodes only train and report: only the driver writes to the store.
"""

from __future__ import annotations

import math
import os
import re
import uuid
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...design.trial import Trial
from ...errors import AblationError
from ...files import writable_folder
from .cluster import connected
from .events import Event, Run, configure_worker, final_event, run_and_catch
from .events import run_trial as _run

_GRACE_SECONDS = 20.0  # time that tasks have to finish their step and write a checkpoint
_POLL_SECONDS = 0.5  # how long the driver waits for a task to end before it fetches epoch events
# Trials submitted to Ray at a time. With all trials of a large study submitted, each poll would take longer than a trial.
_SUBMITTED = 1000
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def run_on_ray(
    trials: Sequence[Trial],
    directory: Path,
    workers: int | None = None,
    address: str | None = None,
    cpus: float = 1.0,
    gpus: float = 0.0,
) -> Generator[Event, None, None]:
    """Run trials as tasks on a Ray cluster and yield what happens to them.

    A trial whose process or machine is lost resumes from its checkpoint wherever there is room. A trial that is lost or
    raises three times ends as failed; an invalid trial fails immediately. The other trials continue. With one CPU per
    trial, outcomes are those of the local engine, bit for bit.

    Args:
        trials: what to run.
        directory: where weights and checkpoints are written. All nodes must see it under the same path, on a shared file system.
        workers: trials at a time; by default as many as the cluster has room for.
        address: HOST:PORT of a cluster that this machine belongs to, or "auto"; by default RAY_ADDRESS. Without either, Ray is
            started on this machine and stopped with the study.
        cpus: CPUs per trial, and threads, at least one.
        gpus: GPUs per trial, such as 0.5 for two trials on one GPU; 0 trains on the CPU.

    Raises:
        AblationError: if Ray is not installed, the cluster cannot be joined, no node is large enough, or a node does not see the
            directory.
    """
    check_shares(cpus, gpus)
    with connected(address, workers, cpus, gpus) as ray, _marker_file(directory) as marker:
        tasks = _Tasks(ray, trials, marker, workers or _SUBMITTED, cpus, gpus)
        try:
            while tasks.busy:
                yield from tasks.wait_for_events()
        finally:
            tasks.stop()


def check_shares(cpus: float = 1.0, gpus: float = 0.0, **others: Any) -> None:
    """Refuse CPU and GPU shares that no cluster can provide.

    Raises:
        AblationError: if cpus is not positive, or gpus is above 1 and not a whole number: Ray does not share several GPUs.
    """
    if not 0 < cpus < math.inf:
        raise AblationError(f"cpus {cpus!r} must be more than 0")
    if not 0 <= gpus < math.inf or (gpus > 1 and gpus != int(gpus)):
        raise AblationError(f"gpus {gpus!r} must be a share from 0 to 1, or a whole number")


@dataclass
class _Task:
    """A running trial, and how many of its events have been yielded."""

    trial: Trial
    attempt: int
    seen: int = 0

    def new_events(self, first: int, items: Sequence[tuple[Any, ...]]) -> Iterator[Event]:
        """Yield the events that were not seen before; `first` is the number of the first item."""
        for number, (kind, *content) in enumerate(items, start=first):
            if number >= self.seen:
                self.seen = number + 1
                yield Event(self.trial, kind, self.attempt, *content)


class _Tasks:
    """The waiting trials, and the tasks that run the others."""

    def __init__(self, ray: Any, trials: Sequence[Trial], marker: Path, limit: int, cpus: float, gpus: float) -> None:
        self.ray, self.marker, self.limit, self.gpus = ray, marker, limit, gpus
        self.threads = max(1, int(cpus))
        self.waiting = deque((trial, 1) for trial in trials)
        self.running: dict[Any, _Task] = {}
        self.task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_work)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )  # the one machine whose loss ends the study anyway
        queue = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here)(_EventQueue)
        self.queue = queue.remote()

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.running)

    def wait_for_events(self) -> Iterator[Event]:
        """Submit trials while there is room, wait until a task ends or a while has passed, and yield the new events."""
        while self.waiting and len(self.running) < self.limit:
            trial, attempt = self.waiting.popleft()
            arguments = (self.queue, attempt, _run, trial, self.marker, self.threads, self.gpus)
            self.running[self.task.remote(*arguments)] = _Task(trial, attempt)
        ended, _ = self.ray.wait(list(self.running), timeout=_POLL_SECONDS)
        running = {(task.trial, task.attempt): task for task in self.running.values()}
        for trial, attempt, number, item in self.ray.get(self.queue.pop_all.remote()):
            if (trial, attempt) in running:
                yield from running[trial, attempt].new_events(number, [item])
        for reference in ended:
            task = self.running.pop(reference)
            kind, content, items = self._result(reference)
            yield from task.new_events(0, items)  # those that the queue had not delivered yet
            event = final_event(task.trial, task.attempt, kind, content)
            if event:
                yield event
            else:
                self.waiting.appendleft((task.trial, task.attempt + 1))

    def stop(self) -> None:
        """Stop all tasks. They first finish their step and write a checkpoint, if there is time."""
        left = list(self.running)
        with suppress(self.ray.exceptions.RayError):
            for task in left:
                self.ray.cancel(task)  # raises KeyboardInterrupt in the task, which `StopSignal` handles
            try:
                if left:
                    _, left = self.ray.wait(left, num_returns=len(left), timeout=_GRACE_SECONDS)
            finally:  # also after a second interrupt
                for task in left:
                    self.ray.cancel(task, force=True)
                self.ray.kill(self.queue)

    def _result(self, reference: Any) -> tuple[str, Any, list[tuple[Any, ...]]]:
        try:
            kind, content, items = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            return "died", _COLOURS.sub("", f"{type(error).__name__}: {error}"), []
        if kind == "no folder":
            raise AblationError(
                f"the node {content} does not see the folder {self.marker.parent}: all nodes of a Ray cluster must have "
                "the store under the same path, on a shared file system"
            )
        return kind, content, items


class _EventQueue:
    """An actor on the driver's node that collects events from the tasks. If it dies, only epoch events are lost."""

    def __init__(self) -> None:
        self.items: list[tuple[Any, ...]] = []

    def put(self, *item: Any) -> None:
        self.items.append(item)

    def pop_all(self) -> list[tuple[Any, ...]]:
        items, self.items = self.items, []
        return items


def _work(
    queue: Any, attempt: int, run: Run, trial: Trial, marker: Path, threads: int, gpus: float
) -> tuple[str, Any, list[tuple[Any, ...]]]:
    """Run one trial on a node. All events are returned again with the result, since queued ones may arrive after it."""
    import ray

    if not marker.is_file():
        return "no folder", ray.util.get_node_ip_address(), []
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray itself hides no GPU from a task that asked for none

    sent: list[tuple[Any, ...]] = []

    def send(*item: Any) -> None:
        sent.append(item)
        # Not waited for: a task that waits releases its CPU to another one.
        queue.put.remote(trial, attempt, len(sent) - 1, item)

    send("started")
    configure_worker(threads)
    return *run_and_catch(run, trial, marker.parent, lambda *epoch: send("epoch", *epoch)), sent


@contextmanager
def _marker_file(directory: Path) -> Iterator[Path]:
    """Write a file into the folder by which a node checks that it sees this folder, not another one with the same path."""
    folder = writable_folder(directory).resolve()
    for left in folder.glob(".seen-*"):  # left by a driver that was killed
        left.unlink(missing_ok=True)
    marker = folder / f".seen-{uuid.uuid4().hex}"
    marker.touch()
    try:
        yield marker
    finally:
        marker.unlink(missing_ok=True)
