"""The state of a store: how many trials are done, which are running, and why others failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ..design.trial import Outcome


@dataclass(frozen=True)
class Running:
    """A trial that was started and has not ended.

    Args:
        label, seed, data: label, seed and data set of the trial.
        epoch: epochs completed.
        epochs: epochs in total.
        loss: mean training loss of the last epoch; None before the first one is completed.
    """

    label: str
    seed: int
    data: str
    epoch: int
    epochs: int
    loss: float | None


@dataclass(frozen=True)
class Summary:
    """The state of a store.

    Args:
        counts: number of trials by status: done, diverged, failed or missing (not run yet). Failed ones are retried too.
        not_learning: number of done or diverged trials that were still at chance level after the warm-up.
        running: trials that were started and have not ended.
        failed: label, seed, attempts and reason of each failed trial.
    """

    counts: dict[str, int]
    not_learning: int
    running: tuple[Running, ...]
    failed: tuple[tuple[str, int, int, str], ...]


@dataclass(frozen=True)
class TrialRow:
    """A trial as a store keeps it, and the progress of one that runs.

    Args:
        key, trial, data_checksum, label: key, description as JSON, checksum of the data and label.
        started: when it was started, or None if it does not run.
        epoch, loss: last completed epoch and its loss.
    """

    key: str
    trial: str
    data_checksum: str
    label: str
    started: str | None = None
    epoch: int = 0
    loss: float | None = None

    @property
    def title(self) -> str:
        """The label and the seed, by which messages name the trial."""
        return f"{self.label}, seed {json.loads(self.trial)['seed']}"


@dataclass(frozen=True)
class OutcomeRow:
    """An outcome as a store keeps it, with the number of attempts, when the trial ended, and the outcome's JSON."""

    outcome: Outcome
    attempts: int
    finished: str
    text: str


def summarise(trials: Mapping[str, TrialRow], outcomes: Mapping[str, OutcomeRow]) -> Summary:
    """Return the state of a store from its undamaged rows, by key."""
    counts = dict.fromkeys(("done", "diverged", "failed", "missing"), 0)
    failed, running = [], []
    for key, row in trials.items():
        ended = outcomes.get(key)
        counts[ended.outcome.status if ended else "missing"] += 1
        if ended and ended.outcome.status == "failed":
            failed.append((row.label, json.loads(row.trial)["seed"], ended.attempts, ended.outcome.reason))
        if row.started is not None:
            trial = json.loads(row.trial)
            epochs = trial["recipe"]["epochs"]
            found = Running(row.label, trial["seed"], trial["data"], row.epoch, epochs, row.loss)
            running.append(((row.started, key), found))
    not_learning = sum(row.outcome.not_learning for row in outcomes.values())
    in_order = tuple(found for _, found in sorted(running, key=lambda pair: pair[0]))
    return Summary(counts, not_learning, in_order, tuple(sorted(failed)))
