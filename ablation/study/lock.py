"""One driver a store: a second is refused and told the first one's process."""

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
    """Be the one driver of a study's folder for as long as the block runs.

    The system lets go of the lock when its holder ends, however it ends: nothing has to be cleared away after a kill.

    Raises:
        AblationError: if another process is the driver; the message says which, where and since when.
    """
    lock = FileLock(directory / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AblationError(f"another driver runs a study in {directory}: {_describe(_read(directory))}") from None
    except OSError as error:
        raise AblationError(f"cannot lock the folder {directory}: {error.strerror or error}") from None
    try:
        about = {
            "process": os.getpid(),
            "host": platform.node(),
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": shlex.join(sys.argv),
        }
        write_atomically(directory / _HOLDER, json.dumps(about).encode())
        yield
    finally:
        (directory / _HOLDER).unlink(missing_ok=True)
        lock.release()


def describe_driver(directory: Path) -> str:
    """Describe the process that runs a study in the folder; "" if there is none.

    The lock itself is not tried, so that this cannot interfere with a driver that is starting.
    """
    about = _read(directory)
    return _describe(about) if about and _alive(about) else ""


def driver_process(directory: Path) -> int | None:
    """Return the number of the process that runs a study in the folder, or None."""
    about = _read(directory)
    return int(about["process"]) if about and _alive(about) else None


def _read(directory: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((directory / _HOLDER).read_text()))
    except (OSError, ValueError):  # the driver has just started, or the folder has none
        return None


def _describe(about: dict[str, Any] | None) -> str:
    if about is None:
        return "its process is not known yet, ask again in a second"
    return "process {process} on {host}, since {started}: {command}".format(**about)


def _alive(about: dict[str, Any]) -> bool:
    if about["host"] != platform.node():
        return True  # cannot be seen from here
    try:
        os.kill(about["process"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
