"""Where trials run: local processes, one thread each.

Small networks keep one core busy and no more; two trainings of one thread each end 1.2 to 1.5 times sooner than one
with two threads (measured on 2 cores). A thread of its own also makes a trial's outcome independent of what runs
beside it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ..errors import AblationError
from .environment import cores
from .trial import Outcome, Trial


def local(
    trials: Iterable[Trial], directory: str | Path, workers: int | None = None
) -> Iterator[tuple[Trial, Outcome]]:
    """Run trials in processes of their own and yield each with its outcome as it ends.

    Args:
        trials: what to run.
        directory: gets the weights.
        workers: processes at a time; by default one per core.

    Raises:
        AblationError: if a worker was killed from outside, after those that had ended were yielded.
    """
    waiting = list(trials)
    processes = max(1, min(workers or cores(), len(waiting)))
    context = multiprocessing.get_context("spawn")  # a fork of a process with threads in it may hang
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_start_worker)
    try:
        futures = {pool.submit(_run, trial, directory): trial for trial in waiting}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool:
        raise AblationError(
            "a worker process was killed, perhaps for want of memory, or could not start (its own message stands above). "
            "What had ended is kept: run the same command again, with fewer workers if memory is short"
        ) from None
    finally:
        for process in list((getattr(pool, "_processes", None) or {}).values()):
            process.terminate()  # an interrupted run ends now, not when its trial does
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, which ends its workers
    threading.Thread(target=_end_with_driver, daemon=True).start()
    import torch

    torch.set_num_threads(1)


def _end_with_driver() -> None:
    """A driver that was killed cannot end its workers, so each watches it."""
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)


def _run(trial: Trial, directory: str | Path) -> Outcome:
    from .training import run

    return run(trial, directory)
