"""The files of a trial: weights, checkpoints, the outcome of a trial that has ended, and a lock for one process at a time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..design.trial import Outcome
from ..errors import AblationError
from ..files import write_atomically
from .devices import stored_precision

_OUTCOME = "outcome.json"


class CheckpointWarning(UserWarning):
    """Warning that a checkpoint is damaged and was skipped."""


def weights_file(directory: str | Path, key: str) -> Path:
    """Return the file to which `run` writes the trained weights of the trial with that key."""
    return Path(directory) / "weights" / f"{key}.safetensors"


def checkpoint_folder(directory: str | Path, key: str) -> Path:
    """Return the folder of a trial's checkpoints, and of its outcome until that is stored elsewhere."""
    return Path(directory) / "checkpoints" / key


def clear_checkpoints(directory: str | Path, key: str) -> None:
    """Delete the checkpoints of a trial whose outcome has been stored."""
    shutil.rmtree(checkpoint_folder(directory, key), ignore_errors=True)


@contextmanager
def trial_lock(directory: Path, key: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of a trial: two processes that train it in one folder would destroy each other's files.

    Workers outlive a killed driver for a moment, so those of the next driver wait.

    Raises:
        AblationError: if another process still holds the lock after `wait_seconds`.
    """
    folder = checkpoint_folder(directory, key)
    lock = FileLock(folder.with_name(f"{key}.lock"))
    try:
        folder.parent.mkdir(exist_ok=True)
        lock.acquire(timeout=wait_seconds)
    except Timeout:
        raise AblationError(
            f"another process is training this trial ({key}) in {directory}: wait until it has ended, or give another folder"
        ) from None
    except OSError as error:
        raise AblationError(f"cannot lock the trial {key} in {directory}: {error.strerror or error}") from None
    try:
        yield
    finally:
        lock.release()


def write_outcome(folder: Path, outcome: Outcome, settings: Mapping[str, Any]) -> None:
    """Write the outcome of a trial that has ended into the folder of its checkpoints, so that no kill can lose it."""
    content = json.dumps({"outcome": dataclasses.asdict(outcome), "settings": dict(settings)})
    checksum = hashlib.sha256(content.encode()).hexdigest()
    write_atomically(folder / _OUTCOME, f"{checksum}\n{content}".encode())


def read_outcome(folder: Path, settings: Mapping[str, Any]) -> Outcome | None:
    """Return the outcome that `write_outcome` wrote, or None.

    Raises:
        AblationError: if it was written with other settings.

    Warns:
        CheckpointWarning: if it is damaged.
    """
    try:
        checksum, _, content = (folder / _OUTCOME).read_bytes().partition(b"\n")
    except OSError:
        return None
    if hashlib.sha256(content).hexdigest().encode() != checksum:
        warnings.warn(f"{folder / _OUTCOME} is damaged and is ignored", CheckpointWarning, stacklevel=2)
        return None
    data = json.loads(content)
    check_settings(folder, data["settings"], settings)
    return Outcome.from_dict(data["outcome"])


def check_settings(where: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with a trial in another way than it began; settings that either side does not know are ignored.

    Raises:
        AblationError: naming the settings of both.
    """
    before, now = (
        {name: stored_precision(value) if name == "precision" else value for name, value in settings.items()}
        for settings in (before, now)
    )
    different = [name for name in before if name in now and before[name] != now[name]]
    if different:
        old, new = (", ".join(f"{name} {settings[name]}" for name in different) for settings in (before, now))
        raise AblationError(
            f"this trial was trained with {old}, not with {new}, in {where}: the two would be mixed. "
            "Give the same settings, or another folder"
        )
