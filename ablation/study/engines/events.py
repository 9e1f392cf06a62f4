"""Events that engines report while trials run, and the code that worker processes of all engines share."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...design.trial import Outcome, Trial
from ...environment import keep_freed_memory
from ...errors import AblationError

# A lack of memory or a lost machine may be temporary; a trial that fails three times most likely fails for its own reason.
ATTEMPTS = 3
_WAIT_SECONDS = 60.0  # a worker whose driver was killed ends within seconds, after a minute at most on a busy machine


@dataclass(frozen=True)
class Event:
    """One thing that happened to a trial.

    Args:
        trial: the trial it happened to.
        kind: "started" each time a worker starts the trial; "epoch" after each epoch; "ended" once.
        attempt: number of the attempt, from 1; for "ended", the number of attempts.
        epoch: epochs completed, from 1.
        epochs: epochs in total.
        loss: mean training loss of that epoch.
        outcome: outcome of a trial that ended.
    """

    trial: Trial
    kind: str
    attempt: int = 1
    epoch: int = 0
    epochs: int = 0
    loss: float = float("nan")
    outcome: Outcome | None = None


Engine = Callable[[Sequence[Trial], Path], Generator[Event, None, None]]  # when closed, it stops its workers
Report = Callable[[int, int, float], None]  # called with epoch, epochs, mean training loss
Run = Callable[[Trial, Path, Report], Outcome]


def run_trial(trial: Trial, directory: Path, report: Report) -> Outcome:
    """Train one network. Torch is imported here, in the worker, and not in the driver.

    Its checkpoints are kept until the driver has stored the outcome.
    """
    from ...train.run import run

    return run(trial, directory, report, keep=True, wait_seconds=_WAIT_SECONDS)


def configure_worker(threads: int) -> None:
    """Prepare this process to train with the given number of threads."""
    keep_freed_memory()
    import torch

    torch.set_num_threads(threads)


def run_and_catch(run: Run, trial: Trial, directory: Path, report: Report) -> tuple[str, Any]:
    """Run a trial and return its result as plain data that any engine can send.

    Returns:
        ("outcome", outcome), ("refused", message) for an invalid trial, or ("raised", traceback).
    """
    try:
        return "outcome", run(trial, directory, report)
    except AblationError as error:
        return "refused", f"AblationError: {error}"
    except Exception:
        return "raised", traceback.format_exc()


def final_event(trial: Trial, attempt: int, kind: str, content: Any) -> Event | None:
    """Return the "ended" event for a worker's result or death ("died", reason), or None if the trial is to be retried."""
    if kind == "outcome":
        return Event(trial, "ended", attempt, outcome=content)
    if kind == "refused":
        return Event(trial, "ended", attempt, outcome=failed(content))
    if attempt < ATTEMPTS:
        return None
    return Event(trial, "ended", attempt, outcome=failed(f"failed {attempt} times; the last error was:\n{content}"))


def failed(reason: str) -> Outcome:
    """Return the outcome of a trial that could not be completed.

    Args:
        reason: the traceback, or what killed the process.
    """
    return Outcome(
        status="failed",
        accuracy=None,
        test_loss=None,
        train_losses=(),
        test_images=0,
        params=0,
        seconds=0.0,
        images_per_second=0.0,
        environment={},
        reason=reason,
    )


@contextmanager
def environment_variables(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Set environment variables for processes that are started inside this context, and restore the old values afterwards.

    Args:
        changes: new values by name; None leaves a variable unchanged but still restores it.
    """
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update({name: value for name, value in changes.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
