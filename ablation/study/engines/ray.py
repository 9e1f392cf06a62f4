"""Trials as tasks of a Ray cluster, on as many machines as it has.

Ray places the trials and says when a process or a machine is lost; to take them up again is ours, as with the local engine, so
that both fail alike. Nodes only train and report: the driver alone writes the store.
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

from ...errors import AblationError
from ...files import writable_folder
from ..trial import Trial
from .cluster import joined
from .events import Event
from .working import Run, answer, end_of, settle
from .working import run_trial as _run

_GRACE_SECONDS = 20.0  # for tasks to finish their step and write a checkpoint
_TURN_SECONDS = 0.5  # after which the driver looks for news of epochs, where no trial ends
_SUBMITTED = (
    1000  # trials that Ray knows of at a time; with all of a large study, each turn would take longer than a trial
)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def on_ray(
    trials: Sequence[Trial],
    directory: Path,
    workers: int | None = None,
    address: str | None = None,
    cpus: float = 1.0,
    gpus: float = 0.0,
) -> Generator[Event, None, None]:
    """Run trials as tasks of a Ray cluster and yield what happens to them.

    A trial whose process or machine is lost is taken up again, wherever there is room, from its checkpoint. One that is lost or
    raises three times ends as failed; one that cannot be run at all, being asked for wrongly, fails at once. The others go on.
    With one CPU for each, outcomes are those of the local engine, bit for bit.

    Args:
        trials: what to run.
        directory: gets weights and checkpoints. All nodes must see it under the same path, on a file system that they share.
        workers: trials at a time; by default as many as the cluster has room for.
        address: HOST:PORT of a cluster that this machine belongs to, or "auto"; by default that of RAY_ADDRESS, and where
            there is none, Ray is started on this machine, and ended with the study.
        cpus: share of each trial; it computes with as many threads, with one at least.
        gpus: share of each trial, such as 0.5 for two on a GPU; 0 for training on the CPU.

    Raises:
        AblationError: if Ray is not installed or cannot be joined, if no node is large enough, or if a node does not see the
            directory.
    """
    check_shares(cpus, gpus)
    with joined(address, workers, cpus, gpus) as ray, _mark(directory) as mark:
        tasks = _Tasks(ray, trials, mark, workers or _SUBMITTED, cpus, gpus)
        try:
            while tasks.busy:
                yield from tasks.turn()
        finally:
            tasks.end()


def check_shares(cpus: float = 1.0, gpus: float = 0.0, **others: Any) -> None:
    """Refuse shares of a trial that no cluster can give.

    Raises:
        AblationError: if cpus is not above 0, or gpus not a whole number where it is above 1, as Ray shares no two GPUs.
    """
    if not 0 < cpus < math.inf:
        raise AblationError(f"cpus {cpus!r} must be more than 0")
    if not 0 <= gpus < math.inf or (gpus > 1 and gpus != int(gpus)):
        raise AblationError(f"gpus {gpus!r} must be a share from 0 to 1, or a whole number")


@dataclass
class _Task:
    """A trial under way, and how much of its news was heard."""

    trial: Trial
    attempt: int
    heard: int = 0

    def news(self, first: int, letters: Sequence[tuple[Any, ...]]) -> Iterator[Event]:
        """What is new of letters, of which the first has that number."""
        for number, (kind, *content) in enumerate(letters, start=first):
            if number >= self.heard:
                self.heard = number + 1
                yield Event(self.trial, kind, self.attempt, *content)


class _Tasks:
    """The trials that wait, and the tasks that run the others."""

    def __init__(self, ray: Any, trials: Sequence[Trial], mark: Path, limit: int, cpus: float, gpus: float) -> None:
        self.ray, self.mark, self.limit, self.gpus = ray, mark, limit, gpus
        self.threads = max(1, int(cpus))
        self.waiting = deque((trial, 1) for trial in trials)
        self.running: dict[Any, _Task] = {}
        self.task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_work)
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )  # the one machine whose loss ends the study anyway
        letterbox = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1, scheduling_strategy=here)(_Letterbox)
        self.letterbox = letterbox.remote()

    @property
    def busy(self) -> bool:
        return bool(self.waiting or self.running)

    def turn(self) -> Iterator[Event]:
        """Submit what there is room for, wait until a task ends or a while has passed, and yield what was heard."""
        while self.waiting and len(self.running) < self.limit:
            trial, attempt = self.waiting.popleft()
            about = (self.letterbox, attempt, _run, trial, self.mark, self.threads, self.gpus)
            self.running[self.task.remote(*about)] = _Task(trial, attempt)
        ended, _ = self.ray.wait(list(self.running), timeout=_TURN_SECONDS)
        under_way = {(task.trial, task.attempt): task for task in self.running.values()}
        for *about, number, letter in self.ray.get(self.letterbox.empty.remote()):
            if tuple(about) in under_way:
                yield from under_way[tuple(about)].news(number, [letter])
        for reference in ended:
            task = self.running.pop(reference)
            kind, content, letters = self._answer(reference)
            yield from task.news(0, letters)  # those that were still in the post
            end = end_of(task.trial, task.attempt, kind, content)
            if end:
                yield end
            else:
                self.waiting.appendleft((task.trial, task.attempt + 1))

    def end(self) -> None:
        """End every task: those at work finish their step and write a checkpoint first, if they can in time."""
        left = list(self.running)
        with suppress(self.ray.exceptions.RayError):
            for task in left:
                self.ray.cancel(task)  # as Ctrl-C would: `Stop` hears of it
            try:
                if left:
                    _, left = self.ray.wait(left, num_returns=len(left), timeout=_GRACE_SECONDS)
            finally:  # also when interrupted once more
                for task in left:
                    self.ray.cancel(task, force=True)
                self.ray.kill(self.letterbox)

    def _answer(self, reference: Any) -> tuple[str, Any, list[tuple[Any, ...]]]:
        try:
            kind, content, letters = self.ray.get(reference)
        except self.ray.exceptions.RayError as error:
            return "died", _COLOURS.sub("", f"{type(error).__name__}: {error}"), []
        if kind == "unseen":
            raise AblationError(
                f"the folder {self.mark.parent} cannot be seen on the node {content}: all nodes of a Ray cluster must have "
                "the store under the same path, on a file system that they share"
            )
        return kind, content, letters


class _Letterbox:
    """An actor beside the driver in which tasks leave what happens to them. Should it die, only news of epochs is lost."""

    def __init__(self) -> None:
        self.letters: list[tuple[Any, ...]] = []

    def put(self, *letter: Any) -> None:
        self.letters.append(letter)

    def empty(self) -> list[tuple[Any, ...]]:
        letters, self.letters = self.letters, []
        return letters


def _work(
    letterbox: Any, attempt: int, run: Run, trial: Trial, mark: Path, threads: int, gpus: float
) -> tuple[str, Any, list[tuple[Any, ...]]]:
    """What a node does with a trial: the answer, and all news once more, as what is in the post may arrive after it."""
    import ray

    if not mark.is_file():
        return "unseen", ray.util.get_node_ip_address(), []
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray itself hides no GPU from a task that asked for none

    told: list[tuple[Any, ...]] = []

    def tell(*letter: Any) -> None:
        told.append(letter)
        # Not waited for: a task that waits hands its CPU to another one.
        letterbox.put.remote(trial, attempt, len(told) - 1, letter)

    tell("started")
    settle(threads)
    return *answer(run, trial, mark.parent, lambda *epoch: tell("epoch", *epoch)), told


@contextmanager
def _mark(directory: Path) -> Iterator[Path]:
    """A file in the folder by which a node knows that it sees this folder, and not another one of the same name."""
    folder = writable_folder(directory).resolve()
    for left in folder.glob(".seen-*"):  # by a driver that was killed
        left.unlink(missing_ok=True)
    mark = folder / f".seen-{uuid.uuid4().hex}"
    mark.touch()
    try:
        yield mark
    finally:
        mark.unlink(missing_ok=True)
