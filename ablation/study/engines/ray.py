"""Run trials as tasks on a Ray cluster, on as many machines as it has.

Ray places the trials and reports a lost process or machine. Retrying them is done here, as in the local engine, so that both
engines fail in the same way. Nodes only train and report: only the driver writes to the store.
"""

from __future__ import annotations

import os
import re
import uuid
from collections import deque
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...design.trial import Trial
from ...errors import AblationError
from ...files import writable_folder
from .cluster import connected
from .events import Event, final_event
from .ray_shares import check_shares, default_gpus
from .worker import FAULTS, Run, configure_worker, run_and_catch
from .worker import run_trial as _run

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
    gpus: float | None = None,
    run_options: Mapping[str, Any] | None = None,
) -> Generator[Event, None, None]:
    """Run trials as tasks on a Ray cluster and yield what happens to them.

    A trial whose process or machine is lost resumes from its checkpoint wherever there is room. A trial that is lost or
    raises three times ends as failed; an invalid trial fails immediately. The other trials continue. A process in which a trial
    raised an error runs no other one, and a trial that shared a GPU with too little memory is tried again on one of its own.
    With one CPU per trial, outcomes are those of the local engine, bit for bit.

    Args:
        trials: what to run.
        directory: where weights and checkpoints are written. All nodes must see it under the same path, on a shared file system.
        workers: trials at a time; by default as many as the cluster has room for.
        address: HOST:PORT of a cluster that this machine belongs to, or "auto"; by default RAY_ADDRESS. Without either, Ray is
            started on this machine and stopped with the study.
        cpus: CPUs per trial, and threads, at least one.
        gpus: GPUs per trial, such as 0.5 for two trials on one GPU; 0 trains on the CPU. By default 0 if no node has a GPU, and
            otherwise the share with which as many trials run on each GPU as `workers` or, without it, `trials_per_gpu` tells.
        run_options: options of `run`, by name.

    Raises:
        AblationError: if Ray is not installed, the cluster cannot be joined, no node is large enough, or a node does not see the
            directory.
    """
    check_shares(cpus, gpus)
    options = dict(run_options or {})
    with connected(address, workers, cpus, gpus or 0.0) as ray, _marker_file(directory) as marker:
        if gpus is None:
            gpus = 0.0 if options.get("device") == "cpu" else default_gpus(ray, trials, workers, cpus)
        tasks = _Tasks(ray, trials, marker, workers or _SUBMITTED, cpus, gpus, options)
        try:
            while tasks.busy:
                yield from tasks.wait_for_events()
        finally:
            tasks.stop()


@dataclass
class _Task:
    """A running trial, how many of its events have been yielded, and the error after which its process ends."""

    trial: Trial
    attempt: int
    gpus: float
    seen: int = 0
    fault: tuple[str, Any] | None = None

    def new_events(self, first: int, items: Sequence[tuple[Any, ...]]) -> Iterator[Event]:
        """Yield the events that were not seen before; `first` is the number of the first item."""
        for number, (kind, *content) in enumerate(items, start=first):
            if kind in FAULTS:
                self.fault = kind, content[0]
            elif number >= self.seen:
                self.seen = number + 1
                yield Event(self.trial, kind, self.attempt, *content)


class _Tasks:
    """The waiting trials, and the tasks that run the others."""

    def __init__(
        self,
        ray: Any,
        trials: Sequence[Trial],
        marker: Path,
        limit: int,
        cpus: float,
        gpus: float,
        run_options: Mapping[str, Any],
    ) -> None:
        self.ray, self.marker, self.limit, self.run_options = ray, marker, limit, run_options
        self.threads = max(1, int(cpus))
        self.waiting = deque((trial, 1, gpus) for trial in trials)
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
            trial, attempt, gpus = self.waiting.popleft()
            arguments = (self.queue, attempt, _run, trial, self.marker, self.threads, gpus, self.run_options)
            self.running[self.task.options(num_gpus=gpus).remote(*arguments)] = _Task(trial, attempt, gpus)
        ended, _ = self.ray.wait(list(self.running), timeout=_POLL_SECONDS)
        running = {(task.trial, task.attempt): task for task in self.running.values()}
        for trial, attempt, number, item in self.ray.get(self.queue.pop_all.remote()):
            if (trial, attempt) in running:
                yield from running[trial, attempt].new_events(number, [item])
        for reference in ended:
            task = self.running.pop(reference)
            kind, content, items = self._result(reference)
            kind, content = task.fault or (kind, content)
            yield from task.new_events(0, items)  # those that the queue had not delivered yet
            event = final_event(task.trial, task.attempt, kind, content)
            if event:
                yield event
            else:
                gpus = max(task.gpus, 1.0) if kind == "no memory" and task.gpus else task.gpus
                self.waiting.appendleft((task.trial, task.attempt + 1, gpus))

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
    queue: Any,
    attempt: int,
    run: Run,
    trial: Trial,
    marker: Path,
    threads: int,
    gpus: float,
    run_options: Mapping[str, Any],
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
    share = int(1 / gpus) if 0 < gpus < 1 else 1
    kind, content = run_and_catch(run, trial, marker.parent, lambda *epoch: send("epoch", *epoch), run_options, share)
    if kind in FAULTS:
        # Ray would give the process to another task. Waited for, so that the queue has the error when the driver sees the end.
        ray.get(queue.put.remote(trial, attempt, len(sent), (kind, content)))
        os._exit(1)
    return kind, content, sent


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
