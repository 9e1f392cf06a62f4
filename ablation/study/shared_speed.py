"""How much slower a training step becomes where several processes share a GPU."""

from __future__ import annotations

import multiprocessing
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

from .engines.events import environment_variables
from .engines.worker import configure_worker

Prepare = Callable[..., AbstractContextManager[Callable[[], float]]]
_WARM_UP, _STEPS = 3, 10
_START_SECONDS = 120.0  # for all processes to have taken their first steps

_all_ready: Any = None  # in a measuring process: the barrier at which it waits for the others


def slowdown(prepare: Prepare, arguments: tuple[Any, ...], processes: int, gpu: str | None, threads: int) -> float:
    """Time a step in one process while the others wait, then in all at the same time, and return the ratio.

    Args:
        prepare: returns a context manager that yields a function, which takes a step and returns its seconds.
        arguments: arguments of `prepare`.
        processes: number of processes.
        gpu: the GPU that they share, as CUDA_VISIBLE_DEVICES names it, or None for what `prepare` uses.
        threads: threads of each process.

    Returns:
        1 where sharing costs nothing. If the processes cannot run together, their number: no faster than one after another.
    """
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(processes)
    try:
        with (
            environment_variables({"CUDA_VISIBLE_DEVICES": gpu}),
            ProcessPoolExecutor(processes, context, _start, (barrier, configure_worker, threads)) as pool,
        ):
            # Each process takes one of these calls, since none ends before all have begun.
            calls = [pool.submit(_measure, prepare, arguments, number == 0) for number in range(processes)]
            measured = [call.result() for call in calls]
    except (RuntimeError, OSError):  # too little memory, a process that died, or one that was not ready in time
        return float(processes)
    return statistics.median(shared for _, shared in measured) / measured[0][0]


def _start(barrier: Any, configure: Callable[[int], None], threads: int) -> None:
    global _all_ready
    _all_ready = barrier
    configure(threads)


def _measure(prepare: Prepare, arguments: tuple[Any, ...], is_first: bool) -> tuple[float, float]:
    """Return the seconds of a step alone, which only the first process measures, and beside the others."""
    try:
        with prepare(*arguments) as step:
            for _ in range(_WARM_UP):
                step()
            _all_ready.wait(_START_SECONDS)
            alone = statistics.mean(step() for _ in range(_STEPS)) if is_first else 0.0
            _all_ready.wait(_START_SECONDS)
            return alone, statistics.mean(step() for _ in range(_STEPS))
    except BaseException:
        _all_ready.abort()  # so that the others do not wait for this process
        raise
