"""Checkpoints from which an interrupted trial resumes. They are written atomically.

A checkpoint is a folder. It is written to a temporary folder, flushed to disk and renamed; a manifest holds the checksum of
each file. The two newest are kept, so if one is damaged, only the steps since the previous one are lost. Weights are stored as
safetensors. The optimizer's state is read by torch with `weights_only`, which does not execute code.

The states of random generators are not stored, because the random draws of a step depend only on the seed and the step.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import threading
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import AblationError, first_line
from .trial_files import CheckpointWarning, check_settings

_KEEP = 2  # number of checkpoints
_MANIFEST = "manifest.json"
_VERSION = 1
_TEMPORARY = ".writing"
_SETTINGS = "settings"


@dataclass(frozen=True)
class Progress:
    """Training progress of a trial.

    Args:
        epoch: the current epoch, from 0.
        step: number of completed steps in this epoch.
        epoch_loss: sum of the losses of these steps.
        losses: mean training loss of each completed epoch.
        not_learning: as in `Outcome`.
        seconds: training time so far, including the time before each resumption.
        validated: top-1 accuracy in percent after some epochs, by the number of the epoch, in which JSON needs a text.
    """

    epoch: int = 0
    step: int = 0
    epoch_loss: float = 0.0
    losses: tuple[float, ...] = ()
    not_learning: bool = False
    seconds: float = 0.0
    validated: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class State:
    """Contents of a checkpoint: progress, tensors by name (weights, buffers and their averages) and the optimizer's state."""

    progress: Progress
    tensors: dict[str, Tensor]
    optimizer: dict[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one trial.

    Args:
        folder: used by this trial only; created when the first checkpoint is written.
        settings: how the trial is trained, such as its precision, as far as that is not in the trial.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any] | None = None) -> None:
        self.folder, self.settings = folder, dict(settings or {})
        self.write_seconds = 0.0  # of the last checkpoint
        self._writing: threading.Thread | None = None
        self._error: BaseException | None = None

    def save_beside(self, state: State) -> None:
        """Write a checkpoint in a thread, beside the training, once the previous one is written.

        Args:
            state: its tensors must not change later.

        Raises:
            AblationError: if the previous checkpoint could not be written.
        """
        self.finish()

        def write() -> None:
            try:
                self.save(state)
            except BaseException as error:
                self._error = error

        self._writing = threading.Thread(target=write, name="checkpoint")
        self._writing.start()

    def finish(self) -> None:
        """Wait until a checkpoint that is being written beside the training is complete.

        Raises:
            AblationError: if it cannot be written.
        """
        if self._writing:
            self._writing.join()
        self._writing, error, self._error = None, self._error, None
        if error:
            raise error

    def save(self, state: State) -> None:
        """Write a checkpoint, and delete all except the newest two.

        Raises:
            AblationError: if the checkpoint cannot be written; earlier checkpoints are kept.
        """
        started = time.perf_counter()
        optimizer = io.BytesIO()
        torch.save(state.optimizer, optimizer)
        parts = {
            "tensors.safetensors": safetensors.torch.save(state.tensors),
            "optimizer.pt": optimizer.getvalue(),
            "progress.json": json.dumps({**vars(state.progress), _SETTINGS: self.settings}).encode(),
        }
        checksums = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
        parts[_MANIFEST] = json.dumps({"version": _VERSION, "sha256": checksums}).encode()
        target = self.folder / f"{state.progress.epoch:06}-{state.progress.step:08}"
        temporary = self.folder / f"{_TEMPORARY}-{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for leftover in self.folder.glob(f"{_TEMPORARY}-*"):  # from a process killed while writing
                shutil.rmtree(leftover)
            try:
                temporary.mkdir()
                for name, data in parts.items():
                    _write(temporary / name, data)
                _flush(temporary)
                if target.exists():
                    shutil.rmtree(target)
                temporary.rename(target)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
            _flush(self.folder)
            for old in self._folders()[:-_KEEP]:
                shutil.rmtree(old)
            self.write_seconds = time.perf_counter() - started
        except OSError as error:
            raise AblationError(f"cannot write a checkpoint to {target}: {error.strerror or error}") from None

    def load(self) -> State | None:
        """Return the newest undamaged checkpoint, or None.

        Raises:
            AblationError: if it was written with other settings.

        Warns:
            CheckpointWarning: for each damaged checkpoint.
        """
        damaged = 0
        for folder in reversed(self._folders()):
            try:
                state, settings = _read(folder)
            except (
                OSError,
                ValueError,
                KeyError,
                TypeError,
                SafetensorError,
                RuntimeError,
                EOFError,
                UnpicklingError,
            ) as error:
                damaged += 1
                reason = first_line(error)
                warnings.warn(f"checkpoint {folder} is damaged ({reason})", CheckpointWarning, stacklevel=2)
                continue
            check_settings(self.folder, settings, self.settings)
            return state
        if damaged:
            warnings.warn(
                f"all checkpoints in {self.folder} are damaged: the trial starts over", CheckpointWarning, stacklevel=2
            )
        return None

    def recorded(self, name: str) -> Any:
        """Return a setting of the newest checkpoint, or None if there is no checkpoint or it is damaged or does not say."""
        try:
            progress = json.loads((self._folders()[-1] / "progress.json").read_bytes())
            return progress[_SETTINGS][name]
        except (IndexError, OSError, ValueError, KeyError, TypeError):
            return None

    def clear(self) -> None:
        """Delete all checkpoints, once the outcome of the trial is stored elsewhere."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _folders(self) -> list[Path]:
        """Return the folders of the checkpoints, oldest first."""
        return sorted(path for path in self.folder.glob("[0-9]*-[0-9]*") if path.is_dir())


def _read(folder: Path) -> tuple[State, dict[str, Any]]:
    """Return the contents of a checkpoint and the settings it was written with, which earlier versions did not write."""
    manifest = json.loads((folder / _MANIFEST).read_bytes())
    if manifest["version"] != _VERSION:
        raise ValueError(f"version {manifest['version']} is not {_VERSION}")
    parts = {name: (folder / name).read_bytes() for name in manifest["sha256"]}
    for name, checksum in manifest["sha256"].items():
        if hashlib.sha256(parts[name]).hexdigest() != checksum:
            raise ValueError(f"{name} has the wrong checksum")
    progress = json.loads(parts["progress.json"])
    settings = dict(progress.pop(_SETTINGS, {}))
    state = State(
        progress=Progress(**{**progress, "losses": tuple(progress["losses"])}),
        tensors=safetensors.torch.load(parts["tensors.safetensors"]),
        optimizer=torch.load(io.BytesIO(parts["optimizer.pt"]), map_location="cpu", weights_only=True),
    )
    return state, settings


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _flush(folder: Path) -> None:
    """Flush a folder's entries to disk; otherwise a system crash may undo a rename."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
