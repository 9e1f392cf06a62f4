"""Writing files: regular files atomically, pipes and devices through; and checks that a folder is writable."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
import time
import uuid
from pathlib import Path

from .errors import AblationError

_NEW_MODE = 0o666  # of which the process's umask removes what it forbids
_PIPE_SECONDS = 10.0  # within which a reader has to open a named pipe


def write_atomically(file: str | Path, data: bytes | str) -> None:
    """Write a file: write a temporary file beside it, flush it to disk and rename it, so that no partial file is left.

    Only regular files are replaced, and a replaced file keeps its permissions. A link stays, and the file it points to is
    replaced. Pipes, character devices and what this process has open as standard output are written to, not replaced.

    Args:
        file: path of the file; missing parent folders are created.
        data: content; text is encoded as UTF-8, and what UTF-8 cannot represent as a backslash sequence.

    Raises:
        AblationError: if the file cannot be written, or is a folder, a disk or a socket; an existing file is then unchanged.
    """
    content = data if isinstance(data, bytes) else data.encode("utf-8", "backslashreplace")
    try:
        if (stream := standard_stream(file)) is not None:
            _write_through(os.dup(stream), content)
            return
        existing = _stat(Path(file))
        if existing is None or stat.S_ISREG(existing.st_mode):
            _replace(Path(file).resolve(), content, existing)
        elif stat.S_ISFIFO(existing.st_mode) or stat.S_ISCHR(existing.st_mode):
            _write_through(_open_special(Path(file)), content)
        else:
            raise AblationError(f"cannot write {file}: it is {_kind(existing.st_mode)}, not a file")
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        if isinstance(error, AblationError):
            raise
        raise AblationError(f"cannot write {file}: {getattr(error, 'strerror', None) or error}") from None


def standard_stream(file: str | Path) -> int | None:
    """Return the descriptor of standard output or standard error if the file is what one of them writes to, or None.

    A terminal, a pipe or the null device may have many users; a regular file is replaced under its writer if it is not
    recognised here.
    """
    for descriptor in (1, 2):
        with contextlib.suppress(OSError, ValueError):
            if os.path.samestat(Path(file).stat(), os.fstat(descriptor)):
                return descriptor
    return None


def _stat(path: Path) -> os.stat_result | None:
    """Return what a path leads to, through links; None if there is nothing yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _replace(path: Path, content: bytes, existing: os.stat_result | None) -> None:
    if existing is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: the file's with an addition might be too long. Not from tempfile: its files ignore the umask.
    temporary = path.with_name(f".ablation-{uuid.uuid4().hex}")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), _NEW_MODE)
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        if existing is not None:
            temporary.chmod(stat.S_IMODE(existing.st_mode))
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _open_special(path: Path) -> int:
    """Open a pipe or device for writing, without waiting forever for the reader of a pipe."""
    if os.name != "posix":
        return os.open(path, os.O_WRONLY)
    deadline = time.monotonic() + _PIPE_SECONDS
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() > deadline:
                raise AblationError(f"cannot write {path}: no process reads from this pipe") from None
            time.sleep(0.05)
        else:
            os.set_blocking(handle, True)
            return handle


def _write_through(handle: int, content: bytes) -> None:
    if sys.stdout is not None:
        sys.stdout.flush()  # so that what was printed before comes before
    with os.fdopen(handle, "wb") as opened:
        opened.write(content)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFBLK: "a disk", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a special file")


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
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        raise AblationError(f"cannot write to the folder {path}: {getattr(error, 'strerror', None) or error}") from None
