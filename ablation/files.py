"""Files that are there whole or not at all, and folders checked before any work is done."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .errors import AblationError


def write_atomically(file: str | Path, data: bytes) -> None:
    """Write a file beside its place, flush it to disk, and move it there in one step.

    Raises:
        AblationError: if it cannot be written; what stood there before still does.
    """
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            Path(aside).chmod(0o644)  # mkstemp's own mode is for the owner alone
            Path(aside).replace(path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise AblationError(f"cannot write {path}: {error.strerror or error}") from None


def data_root() -> Path:
    """Where data sets and what is decoded of them are kept: ABLATION_DATA, or `~/.cache/ablation`."""
    named = os.environ.get("ABLATION_DATA")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "ablation"


def writable_folder(folder: str | Path) -> Path:
    """The folder, made if need be, once a file was written there and taken away again.

    Raises:
        AblationError: if that fails, so that no work is lost for want of a place to put it.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise AblationError(f"cannot write to the folder {path}: {error.strerror or error}") from None
