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

import psutil
from filelock import FileLock, Timeout

from ..errors import AblationError
from ..files import write_atomically

_LOCK, _HOLDER = "driver.lock", "driver.json"
_FIELDS = {"process": int, "host": str, "started": str, "command": str}
_CLOCK_SECONDS = 5.0  # how far two readings of one process's start may differ, when the clock is adjusted


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
        raise AblationError(f"another driver runs a study in {directory}: {_describe_holder(directory)}") from None
    except OSError as error:
        raise AblationError(f"cannot lock the folder {directory}: {error.strerror or error}") from None
    try:
        holder = {
            "process": os.getpid(),
            "created": psutil.Process().create_time(),
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

    Raises:
        AblationError: if the file that names the process is damaged.
    """
    holder = _read_holder(directory)
    return _describe(holder) if holder and _is_alive(holder) else ""


def driver_process(directory: Path) -> int | None:
    """Return the id of the process that runs a study in the folder, or None; errors as for `describe_driver`."""
    holder = _read_holder(directory)
    return int(holder["process"]) if holder and _is_alive(holder) else None


def _read_holder(directory: Path) -> dict[str, Any] | None:
    file = directory / _HOLDER
    try:
        holder = json.loads(file.read_text())
        if all(type(holder[name]) is kind for name, kind in _FIELDS.items()):
            return dict(holder)
    except OSError:  # the driver has just started, or the folder has none
        return None
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise AblationError(f"{file} is damaged: delete it if no study is running in {directory}")


def _describe_holder(directory: Path) -> str:
    try:
        holder = _read_holder(directory)
    except AblationError as error:
        return str(error)
    return _describe(holder) if holder else "its process is not known yet, try again in a second"


def _describe(holder: dict[str, Any]) -> str:
    return "process {process} on {host}, since {started}: {command}".format(**holder)


def _is_alive(holder: dict[str, Any]) -> bool:
    if holder["host"] != platform.node():
        return True  # processes of other hosts cannot be checked
    try:
        created = psutil.Process(holder["process"]).create_time()
    except (psutil.NoSuchProcess, ValueError, OverflowError):
        return False
    except psutil.AccessDenied:
        return True
    then = holder.get("created", created)  # the number may have been given to another process since
    return not isinstance(then, (int, float)) or abs(created - then) < _CLOCK_SECONDS
