"""A study: trials, the store that remembers them, and the engine that runs what is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ..files import writable_folder
from . import data, engines
from .store import Store
from .trial import Outcome, Trial


class Study:
    """Trials and the folder that keeps what came of them: `study.sqlite` and the weights.

    Args:
        trials: what to run; plain data.
        directory: made if there is none. Running the same study again runs only what is missing.

    Raises:
        AblationError: if a data set does not exist or the folder cannot be written.
    """

    def __init__(self, trials: Iterable[Trial], directory: str | Path) -> None:
        self.trials = tuple(trials)
        for name in {trial.data for trial in self.trials}:
            data.about(name)
        self.directory = writable_folder(directory)
        self._checksums: dict[str, str] = {}

    def outcomes(self) -> dict[Trial, Outcome]:
        """The trials that have been run, with what came of each."""
        with self._store() as store:
            found = {trial: store.get(trial.key(self._checksum(trial))) for trial in self.trials}
        return {trial: outcome for trial, outcome in found.items() if outcome is not None}

    def missing(self) -> tuple[Trial, ...]:
        """The trials that have not been run."""
        done = self.outcomes()
        return tuple(trial for trial in self.trials if trial not in done)

    def run(
        self, workers: int | None = None, on_outcome: Callable[[Trial, Outcome], None] | None = None
    ) -> dict[Trial, Outcome]:
        """Run what is missing and return every outcome.

        Each outcome is kept as soon as its trial ends, so an interrupted study goes on where it stopped.

        Args:
            workers: processes at a time; by default one per core.
            on_outcome: called with each trial as it ends.
        """
        missing = self.missing()
        if missing:
            with self._store() as store:
                for trial, outcome in engines.local(missing, self.directory / "weights", workers):
                    store.put(trial, self._checksum(trial), outcome)
                    if on_outcome:
                        on_outcome(trial, outcome)
        return self.outcomes()

    def _store(self) -> Store:
        return Store(self.directory / "study.sqlite")

    def _checksum(self, trial: Trial) -> str:
        if trial.data not in self._checksums:
            self._checksums[trial.data] = data.load(trial.data).checksum
        return self._checksums[trial.data]
