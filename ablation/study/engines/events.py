"""Events that engines report while trials run, and what becomes of a trial whose worker met an error."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...design.trial import Outcome, Trial

# A lack of memory or a lost machine may be temporary; a trial that fails three times most likely fails for its own reason.
ATTEMPTS = 3


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


Engine = Callable[
    ..., Generator[Event, None, None]
]  # called with trials and directory; when closed, it stops its workers


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
