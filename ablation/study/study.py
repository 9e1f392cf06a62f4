"""A study: trials, the store that keeps their outcomes, and the engine that runs the missing ones."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from .. import data as datasets
from ..design.trial import Outcome, Trial
from ..errors import AblationError
from ..files import writable_folder
from ..train.trial_files import clear_checkpoints
from .adopt import refuse_if_kept_by_names
from .engines import Engine, Event, get_engine, run_locally, run_on_ray
from .engines.worker import check_run_options
from .lock import driver_lock
from .precisions import check_options, precision_of, settle_precision
from .store import FILE, Store


class Study:
    """Trials, and the folder with their results: `study.sqlite`, the weights, and the checkpoints of running trials.

    Args:
        trials: the trials to run, as plain data. A mapping gives each trial its label in tables.
        directory: created if it does not exist. Running the same study again runs only the missing trials.
        engine: "local" for processes on this machine, "ray" for a Ray cluster, or a function with the same interface.
        run_options: options of `run` for all trials, by name, such as `{"device": "cuda", "precision": "bf16"}`. By default,
            this machine decides the precision; on a cluster, each worker does unless there are stored trials.
        options: options of the engine, by name: `address`, `cpus` and `gpus` of "ray", as in `engines.run_on_ray`.

    Raises:
        AblationError: if the engine, an option or the data set does not exist, or the folder cannot be written.
    """

    def __init__(
        self,
        trials: Iterable[Trial],
        directory: str | Path,
        engine: str | Engine = "local",
        *,
        run_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.labels = dict(trials) if isinstance(trials, Mapping) else {}
        self.trials = tuple(trials)
        for name in {trial.data for trial in self.trials}:
            datasets.info(name)
        self._engine = get_engine(engine, options)
        self.run_options = dict(run_options or {})
        check_run_options(self.run_options)
        check_options(self.run_options)
        self._options = options
        self.directory = writable_folder(directory)
        self._checksums: dict[str, str] = {}
        self._keys: dict[Trial, str] = {}

    @property
    def is_local(self) -> bool:
        """Whether the trials run on this machine only, with the local engine."""
        return self._engine is run_locally

    def outcomes(self) -> dict[Trial, Outcome]:
        """Return the trials that are done or diverged, with their outcomes; failed ones are not included."""
        return {trial: outcome for trial, outcome in self._known_outcomes().items() if outcome.status != "failed"}

    def failed(self) -> dict[Trial, Outcome]:
        """Return the trials that could not be completed; each outcome gives the reason. They count as missing too."""
        return {trial: outcome for trial, outcome in self._known_outcomes().items() if outcome.status == "failed"}

    def missing(self) -> tuple[Trial, ...]:
        """Return the trials that have no outcome or failed."""
        done = self.outcomes()
        return tuple(trial for trial in self.trials if trial not in done)

    def settled_options(self) -> dict[str, Any]:
        """Return the options of `run` for the missing trials, which have one precision.

        Raises:
            AblationError: if this machine does not have the device, or by default trains in another precision than that of the
                stored trials.
        """
        stored = precision_of(self.outcomes(), self.run_options, self.labels, self.directory)
        if self._engine not in (run_locally, run_on_ray):
            return self.run_options
        return settle_precision(self.run_options, stored, len(self.missing()), self.is_local)

    def run(self, workers: int | None = None, on_event: Callable[[Event], None] | None = None) -> dict[Trial, Outcome]:
        """Run the missing trials and return the outcomes of all completed trials.

        Each outcome is stored as soon as its trial ends, and interrupted trials resume from their checkpoints, so a study
        continues where it stopped. Only this process writes to the store.

        Args:
            workers: trials at a time; by default as many as the engine has room for.
            on_event: called with each event of a trial after it has been stored.

        Raises:
            AblationError: as `settled_options`, or if another process runs a study in this folder, the store cannot be written,
                it holds outcomes of an earlier version that may be of other images, or it is moved or deleted in the meantime;
                its outcomes are then written again.
            SystemExit: with code 143 on SIGTERM, 129 on SIGHUP and 138 on SIGUSR1. Like KeyboardInterrupt on Ctrl-C, it is raised
                after the workers have written their checkpoints.
        """
        unfinished = self.missing()
        if not unfinished:
            return self.outcomes()
        if started := next((trial for trial in unfinished if trial.init), None):
            raise AblationError(
                f"a trial of this study starts from the weights {started.init}, and a study has no file of them: train it with "
                "`ablation.run(..., init_from=FILE)` or `ablation train --init-from FILE`"
            )
        options = self.settled_options()
        shared = self._engine is run_on_ray
        with driver_lock(self.directory), Store(self.directory / FILE, shared=shared) as store:
            for trial in self.outcomes():  # left if a driver was killed after it had stored the outcome
                clear_checkpoints(self.directory, self._key(trial))
            missing = {self._key(trial): trial for trial in self.missing()}
            refuse_if_kept_by_names(missing.values(), store, self.directory)
            store.plan({self._key(trial): trial for trial in self.trials}, self._checksums, self.labels)
            events = self._engine(
                list(missing.values()),
                self.directory,
                workers=workers,
                run_options=options,
                **self._options,
            )
            with _exit_on_signals(), closing(events):  # closing stops the workers, also after an exception
                for event in events:
                    self._store_event(event, store)
                    if on_event:
                        on_event(event)
            store.check_place()
        return self.outcomes()

    def _store_event(self, event: Event, store: Store) -> None:
        key = self._key(event.trial)
        if event.kind == "started":
            store.start(key)
        elif event.kind == "epoch":
            store.epoch(key, event.epoch, event.loss)
        elif event.outcome is not None:
            store.put(key, event.outcome, event.attempt)
            if event.outcome.status != "failed":
                clear_checkpoints(self.directory, key)

    def _known_outcomes(self) -> dict[Trial, Outcome]:
        file = self.directory / FILE
        if not file.exists():
            return {}
        with Store(file, readonly=True) as store:
            stored = store.outcomes()
        outcomes = {trial: stored.get(self._key(trial)) for trial in self.trials}
        known = {trial: outcome for trial, outcome in outcomes.items() if outcome is not None}
        precision_of(known, self.run_options, self.labels, self.directory)
        return known

    def _key(self, trial: Trial) -> str:
        if trial not in self._keys:
            if trial.data not in self._checksums:  # loaded and decoded here once, before any worker needs it
                self._checksums[trial.data] = datasets.load(trial.data).checksum
            self._keys[trial] = trial.key(self._checksums[trial.data])
        return self._keys[trial]


@contextmanager
def _exit_on_signals() -> Iterator[None]:
    """Raise SystemExit on SIGTERM, SIGHUP and SIGUSR1, so that they end this process in the same orderly way as Ctrl-C."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():  # no other thread receives signals
        for name in ("SIGTERM", "SIGHUP", "SIGUSR1"):
            number = getattr(signal, name, None)  # Windows has neither of the last two
            if number and signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets it
                before[number] = signal.signal(number, _end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)  # the exit code that a shell reports for a program ended by the signal
