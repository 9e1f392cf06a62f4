"""Logging of a trial's epochs with TensorBoard, Weights & Biases or MLflow, through Accelerate's trackers, or into a CSV file.

What a tracker holds is for looking at while a trial is trained. The losses are in its outcome in any case.
"""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..design.trial import Trial
from ..errors import AblationError, first_line, unknown
from ..files import write_atomically

if TYPE_CHECKING:
    from .loop import Moment, Report

# Name of each tracker and the packages of which it needs one.
TRACKERS: dict[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboard", "tensorboardX"),
    "wandb": ("wandb",),
    "mlflow": ("mlflow",),
    "csv": (),
}
VALUES = ("loss", "learning_rate", "images_per_second", "accuracy")  # of a `Moment`; accuracy where it was measured
_PROJECT = "ablation"
_STATE = "tracker.json"


class TrackerWarning(UserWarning):
    """Warning that a tracker failed, and that the rest of the trial is trained without it."""


def check_tracker(name: str) -> None:
    """Raise an `AblationError` unless there is such a tracker and its package is installed; "" is none, and valid."""
    if not name:
        return
    if name not in TRACKERS:
        raise unknown("tracker", name, TRACKERS)
    packages = TRACKERS[name]
    if packages and not any(map(_is_installed, packages)):
        raise AblationError(f"--log-with {name} needs the package {packages[0]}: pip install {packages[0]}")


def log_folder(directory: str | Path) -> Path:
    """Return the folder of a store in which trackers write."""
    return Path(directory) / "logs"


class Tracking:
    """The log of one trial, in its main process. A trial that resumes continues its log, and no epoch is logged twice.

    Args:
        name: of the tracker, which `check_tracker` has checked.
        directory: folder of the trial's store.
        trial: the trial.
        key: its key.
        settings: how it is trained, as far as that is not in the trial.
        checkpoints: folder of its checkpoints, where the name of the run and the last epoch are kept until the trial ends.

    Raises:
        AblationError: if the tracker cannot be started.
    """

    def __init__(
        self, name: str, directory: Path, trial: Trial, key: str, settings: Mapping[str, Any], checkpoints: Path
    ) -> None:
        self.name = name
        self._state_file = checkpoints / _STATE
        self._state = _read_state(self._state_file).get(name, {})
        self._failed = False
        try:
            self._tracker = _make(name, log_folder(directory), key, self._state)
            self._tracker.start()
            if not self._state:
                self._tracker.store_init_configuration(_configuration(trial, settings))
            self._state = {"epoch": 0, "run": _RUN[name](self._tracker.tracker), **self._state}
        except Exception as error:  # servers and their clients raise many kinds of exceptions
            raise AblationError(f"{name} could not start logging: {first_line(error)}") from error

    def on_epoch(self, epoch: int, values: Mapping[str, float | None]) -> None:
        """Log the values of an epoch that has ended.

        Args:
            epoch: its number, from 1.
            values: by name; those that are None are left out.

        Warns:
            TrackerWarning: if the tracker fails; nothing is logged from then on.
        """
        replaces = self.name == "csv"  # the rows of epochs that are trained again
        if self._failed or (not replaces and epoch <= self._state["epoch"]):
            return
        try:
            self._tracker.log({name: value for name, value in values.items() if value is not None}, step=epoch)
            self._state["epoch"] = epoch
            if not replaces:
                write_atomically(self._state_file, json.dumps({self.name: self._state}))
        except Exception as error:
            self._fail(error)

    def close(self) -> None:
        """End the log, of a trial that has ended or was interrupted."""
        if not self._failed:
            try:
                self._tracker.finish()
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        self._failed = True
        warnings.warn(f"{self.name} stopped logging: {first_line(error)}", TrackerWarning, stacklevel=3)


@contextmanager
def logged(report: Report, log: Tracking | None) -> Iterator[Report]:
    """Log the epochs that are reported inside this context, each before the given report of it, and close the log at the end.

    Args:
        report: called whenever losses are known.
        log: the log, or None for none.

    Yields:
        The report to call.
    """
    if log is None:
        yield report
        return

    def log_and_report(moment: Moment) -> None:
        if moment.ends_epoch:
            log.on_epoch(moment.epoch, {name: getattr(moment, name) for name in VALUES})
        report(moment)

    try:
        yield log_and_report
    finally:
        log.close()


def _make(name: str, folder: Path, key: str, state: Mapping[str, Any]) -> Any:
    """Return a tracker of Accelerate. It gives every run of a trial that was interrupted the name of its first one."""
    from accelerate import tracking

    run = state.get("run")
    if name == "csv":
        from .csv_tracker import CsvTracker

        return CsvTracker(folder / f"{key}.csv", VALUES)
    if name == "tensorboard":
        # What an earlier trial with this key has written is not shown beside this one.
        return tracking.TensorBoardTracker(key, folder, **({} if state else {"purge_step": 0}))
    if name == "wandb":
        folder.mkdir(parents=True, exist_ok=True)  # else wandb takes another one
        return tracking.WandBTracker(_PROJECT, name=key, dir=str(folder), id=run, resume="allow" if run else None)
    return tracking.MLflowTracker(_PROJECT, run_id=run, run_name=key)


# Name of the tracker -> what its run is called.
_RUN: dict[str, Callable[[Any], str]] = {
    "csv": str,
    "tensorboard": lambda writer: os.fspath(writer.log_dir),
    "wandb": lambda run: str(run.id),
    "mlflow": lambda run: str(run.info.run_id),
}


def _configuration(trial: Trial, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a trial is as flat values that every tracker takes."""
    described = {"architecture": str(trial.architecture), "data": trial.data, "seed": trial.seed, "init": trial.init}
    values = {**described, **dataclasses.asdict(trial.recipe), **settings}
    return {name: v if isinstance(v, str | int | float) or v is None else str(v) for name, v in values.items()}


def _is_installed(package: str) -> bool:
    """Return whether a package can be imported; a folder of its name, such as wandb makes for its logs, is none."""
    found = find_spec(package)
    return found is not None and found.origin is not None


def _read_state(file: Path) -> dict[str, dict[str, Any]]:
    try:
        state: dict[str, dict[str, Any]] = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return state
