"""Atomic writing of files, and checks that a folder is writable."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from .errors import AblationError


def write_atomically(file: str | Path, data: bytes) -> None:
    """Write a file atomically: write a temporary file in the same folder, flush it to disk and rename it.

    Raises:
        AblationError: if the file cannot be written; an existing file is then unchanged.
    """
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as opened:
                opened.write(data)
                opened.flush()
                os.fsync(opened.fileno())
            Path(temporary).chmod(0o644)  # mkstemp makes the file accessible to its owner only
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise AblationError(f"cannot write {path}: {error.strerror or error}") from None


def data_root() -> Path:
    """Return the folder of data sets and decoded images: the environment variable ABLATION_DATA, or `~/.cache/ablation`."""
    named = os.environ.get("ABLATION_DATA")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "ablation"


def writable_folder(folder: str | Path) -> Path:
    """Return the folder after creating it, if it does not exist, and writing and deleting a test file in it.

    Called before any work starts, so that no results are lost because they cannot be written.

    Raises:
        AblationError: if the folder is not writable.
    """
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise AblationError(f"cannot write to the folder {path}: {error.strerror or error}") from None
