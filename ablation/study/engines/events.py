"""What an engine tells the study while its trials run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..trial import Outcome, Trial

ATTEMPTS = 3  # a kill for want of memory, or a lost machine, may pass; what fails three times has a reason of its own


@dataclass(frozen=True)
class Event:
    """One thing that happened to a trial.

    Args:
        trial: to which.
        kind: "started" when it is taken up, each time; "epoch" after each epoch; "ended" once.
        attempt: from 1; of an end, how many there were.
        epoch: epochs behind it, from 1.
        epochs: how many there will be.
        loss: mean training loss of that epoch.
        outcome: of a trial that ended.
    """

    trial: Trial
    kind: str
    attempt: int = 1
    epoch: int = 0
    epochs: int = 0
    loss: float = float("nan")
    outcome: Outcome | None = None


Engine = Callable[[Sequence[Trial], Path], Generator[Event, None, None]]  # closed, it ends its workers


def failed(reason: str) -> Outcome:
    """The outcome of a trial that could not be run to its end.

    Args:
        reason: the traceback, or what killed its process.
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
