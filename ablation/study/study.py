"""A study: trials, the store that remembers them, and the engine that runs what is missing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from .. import data as datasets
from ..design.trial import Outcome, Trial
from ..files import writable_folder
from .engines import Engine, Event, get_engine, run_locally
from .lock import driver_lock
from .store import FILE, Store

_TERMINATED = 128 + signal.SIGTERM  # the exit code that a shell gives a program that was told to end


class Study:
    """Trials and the folder that keeps what came of them: `study.sqlite`, the weights, and checkpoints of what runs.

    Args:
        trials: what to run; plain data. A mapping gives each the label that tables call it by.
        directory: made if there is none. Running the same study again runs only what is missing.
        engine: "local" for processes of this machine, "ray" for a Ray cluster, or any function that does as they do.
        options: of the engine, by name: `address`, `cpus` and `gpus` of "ray", as `engines.on_ray` has them.

    Raises:
        AblationError: if engine, option or data set do not exist or the folder cannot be written.
    """

    def __init__(
        self, trials: Iterable[Trial], directory: str | Path, engine: str | Engine = "local", **options: Any
    ) -> None:
        self.labels = dict(trials) if isinstance(trials, Mapping) else {}
        self.trials = tuple(trials)
        for name in {trial.data for trial in self.trials}:
            datasets.info(name)
        self._engine = get_engine(engine, options)
        self._options = options
        self.directory = writable_folder(directory)
        self._checksums: dict[str, str] = {}
        self._keys: dict[Trial, str] = {}

    @property
    def is_local(self) -> bool:
        """Whether its trials run on this machine alone, as processes of the local engine."""
        return self._engine is run_locally

    def outcomes(self) -> dict[Trial, Outcome]:
        """The trials that have been run to their end, with what came of each; what failed is not among them."""
        return {trial: outcome for trial, outcome in self._found().items() if outcome.status != "failed"}

    def failed(self) -> dict[Trial, Outcome]:
        """The trials that could not be run to their end, with the reason in each outcome. They are missing, too."""
        return {trial: outcome for trial, outcome in self._found().items() if outcome.status == "failed"}

    def missing(self) -> tuple[Trial, ...]:
        """The trials that have no outcome, or failed."""
        done = self.outcomes()
        return tuple(trial for trial in self.trials if trial not in done)

    def run(self, workers: int | None = None, on_event: Callable[[Event], None] | None = None) -> dict[Trial, Outcome]:
        """Run what is missing and return the outcomes of all that came to an end.

        Each is kept as soon as its trial ends, and a trial that was under way goes on from its checkpoint: an interrupted study
        is taken up where it stopped. Only this process writes the store.

        Args:
            workers: trials at a time; by default as many as the engine finds room for.
            on_event: called with whatever happens to a trial, once it is kept.

        Raises:
            AblationError: if another process runs a study in this folder, or the store cannot be written.
            SystemExit: with code 143 on SIGTERM, like KeyboardInterrupt on Ctrl-C: once the workers have written checkpoints.
        """
        if not self.missing():
            return self.outcomes()
        with driver_lock(self.directory), Store(self.directory / FILE) as store:
            missing = {self._key(trial): trial for trial in self.missing()}
            store.plan({self._key(trial): trial for trial in self.trials}, self._checksums, self.labels)
            events = self._engine(list(missing.values()), self.directory, workers=workers, **self._options)
            with _ended_by_sigterm(), closing(events):  # whatever happens, the workers are ended here and now
                for event in events:
                    self._keep(event, store)
                    if on_event:
                        on_event(event)
        return self.outcomes()

    def _keep(self, event: Event, store: Store) -> None:
        key = self._key(event.trial)
        if event.kind == "started":
            store.start(key)
        elif event.kind == "epoch":
            store.epoch(key, event.epoch, event.loss)
        elif event.outcome is not None:
            store.put(key, event.outcome, event.attempt)

    def _found(self) -> dict[Trial, Outcome]:
        file = self.directory / FILE
        if not file.exists():
            return {}
        with Store(file, readonly=True) as store:
            kept = store.outcomes()
        found = {trial: kept.get(self._key(trial)) for trial in self.trials}
        return {trial: outcome for trial, outcome in found.items() if outcome is not None}

    def _key(self, trial: Trial) -> str:
        if trial not in self._keys:
            if trial.data not in self._checksums:  # loaded and decoded here, once, before any worker asks for it
                self._checksums[trial.data] = datasets.load(trial.data).checksum
            self._keys[trial] = trial.key(self._checksums[trial.data])
        return self._keys[trial]


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends this process as Ctrl-C does, with its own exit code, instead of on the spot."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread hears of signals
        return

    def end(number: int, frame: Any) -> None:
        raise SystemExit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
