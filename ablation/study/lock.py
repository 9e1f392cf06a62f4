"""A lock that allows one driver per store; a second driver gets an error that names the first one's process."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..errors import AblationError
from ..files import write_atomically

_LOCK, _HOLDER = "driver.lock", "driver.json"


@contextmanager
def driver_lock(directory: Path) -> Iterator[None]:
    """Hold the lock of a study's folder for the duration of this context.

    The operating system releases the lock when its holder ends, so nothing has to be cleaned up after a kill.

    Raises:
        AblationError: if another process holds the lock; the message gives its id, host, start time and command.
    """
    lock = FileLock(directory / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AblationError(
            f"another driver runs a study in {directory}: {_describe(_read_holder(directory))}"
        ) from None
    except OSError as error:
        raise AblationError(f"cannot lock the folder {directory}: {error.strerror or error}") from None
    try:
        holder = {
            "process": os.getpid(),
            "host": platform.node(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": shlex.join(sys.argv),
        }
        write_atomically(directory / _HOLDER, json.dumps(holder).encode())
        yield
    finally:
        (directory / _HOLDER).unlink(missing_ok=True)
        lock.release()


def describe_driver(directory: Path) -> str:
    """Describe the process that runs a study in the folder; "" if there is none.

    This does not try to acquire the lock, so it cannot interfere with a driver that is starting.
    """
    holder = _read_holder(directory)
    return _describe(holder) if holder and _alive(holder) else ""


def driver_process(directory: Path) -> int | None:
    """Return the id of the process that runs a study in the folder, or None."""
    holder = _read_holder(directory)
    return int(holder["process"]) if holder and _alive(holder) else None


def _read_holder(directory: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((directory / _HOLDER).read_text()))
    except (OSError, ValueError):  # the driver has just started, or the folder has none
        return None


def _describe(holder: dict[str, Any] | None) -> str:
    if holder is None:
        return "its process is not known yet, try again in a second"
    return "process {process} on {host}, since {started}: {command}".format(**holder)


def _alive(holder: dict[str, Any]) -> bool:
    if holder["host"] != platform.node():
        return True  # processes of other hosts cannot be checked
    try:
        os.kill(holder["process"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
