"""Where a trial goes on after it was stopped: checkpoints that are there whole or not at all.

A checkpoint is a folder. It is written beside its place, flushed to the disk and renamed; a manifest holds the checksum of each
file. The two newest are kept, so that a damaged one costs the steps since the one before. Weights are in safetensors; the
optimizer's state is read by torch with `weights_only`, which runs no code.

No state of a random generator is kept: what is drawn in a step depends on the seed and the step alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ..errors import AblationError

_KEPT = 2
_MANIFEST = "manifest.json"
_VERSION = 1
_ASIDE = ".writing"


class CheckpointWarning(UserWarning):
    """A checkpoint is damaged and was passed over."""


@dataclass(frozen=True)
class Progress:
    """How far a trial has come.

    Args:
        epoch: the one under way, from 0.
        step: steps done of that epoch.
        epoch_loss: sum of their losses.
        losses: mean training loss of each epoch done.
        not_learning: as in `Outcome`.
        seconds: of training so far, over all processes that trained one after the other.
    """

    epoch: int = 0
    step: int = 0
    epoch_loss: float = 0.0
    losses: tuple[float, ...] = ()
    not_learning: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class State:
    """What a checkpoint holds: progress, tensors by name (weights, buffers and their average) and the optimizer's state."""

    progress: Progress
    tensors: dict[str, Tensor]
    optimizer: dict[str, Any] = field(default_factory=dict)


class Checkpoints:
    """The checkpoints of one trial.

    Args:
        folder: of this trial alone; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: State) -> None:
        """Write a checkpoint, and let go of all but the newest two.

        Raises:
            AblationError: if it cannot be written; those before are still there.
        """
        rest = io.BytesIO()
        torch.save(state.optimizer, rest)
        parts = {
            "tensors.safetensors": safetensors.torch.save(state.tensors),
            "optimizer.pt": rest.getvalue(),
            "progress.json": json.dumps(vars(state.progress)).encode(),
        }
        checksums = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
        parts[_MANIFEST] = json.dumps({"version": _VERSION, "sha256": checksums}).encode()
        place = self.folder / f"{state.progress.epoch:06}-{state.progress.step:08}"
        aside = self.folder / f"{_ASIDE}-{os.getpid()}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for left in self.folder.glob(f"{_ASIDE}-*"):  # by a process that was killed meanwhile
                shutil.rmtree(left)
            try:
                aside.mkdir()
                for name, data in parts.items():
                    _write(aside / name, data)
                _flush(aside)
                if place.exists():
                    shutil.rmtree(place)
                aside.rename(place)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
            _flush(self.folder)
            for old in self._places()[:-_KEPT]:
                shutil.rmtree(old)
        except OSError as error:
            raise AblationError(f"cannot write a checkpoint to {place}: {error.strerror or error}") from None

    def load(self) -> State | None:
        """The newest checkpoint that is whole, or None.

        Warns:
            CheckpointWarning: for each one that is damaged.
        """
        damaged = 0
        for place in reversed(self._places()):
            try:
                return _read(place)
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
                said = (str(error).splitlines() or [type(error).__name__])[0]
                warnings.warn(f"checkpoint {place} is damaged ({said})", CheckpointWarning, stacklevel=2)
        if damaged:
            warnings.warn(
                f"no whole checkpoint in {self.folder}: the trial starts over", CheckpointWarning, stacklevel=2
            )
        return None

    def clear(self) -> None:
        """Take them away: the trial has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _places(self) -> list[Path]:
        """Oldest first."""
        return sorted(path for path in self.folder.glob("[0-9]*-[0-9]*") if path.is_dir())


def _read(place: Path) -> State:
    manifest = json.loads((place / _MANIFEST).read_bytes())
    if manifest["version"] != _VERSION:
        raise ValueError(f"its version is {manifest['version']}, not {_VERSION}")
    parts = {name: (place / name).read_bytes() for name in manifest["sha256"]}
    for name, checksum in manifest["sha256"].items():
        if hashlib.sha256(parts[name]).hexdigest() != checksum:
            raise ValueError(f"{name} has another checksum")
    said = json.loads(parts["progress.json"])
    return State(
        progress=Progress(**{**said, "losses": tuple(said["losses"])}),
        tensors=safetensors.torch.load(parts["tensors.safetensors"]),
        optimizer=torch.load(io.BytesIO(parts["optimizer.pt"]), map_location="cpu", weights_only=True),
    )


def _write(file: Path, data: bytes) -> None:
    with file.open("wb") as opened:
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def _flush(folder: Path) -> None:
    """Names are a folder's content; without this a crash of the machine may lose a rename."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
