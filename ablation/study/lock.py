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
def only_driver(directory: Path) -> Iterator[None]:
    """Be the one driver of a study's folder for as long as the block runs.

    The system lets go of the lock when its holder ends, however it ends: nothing has to be cleared away after a kill.

    Raises:
        AblationError: if another process is the driver; the message says which, where and since when.
    """
    lock = FileLock(directory / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise AblationError(f"another driver runs a study in {directory}: {_who(_read(directory))}") from None
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


def driver_of(directory: Path) -> str:
    """Which process runs a study in the folder, in words; "" if none does.

    It looks and does not try the lock, so that it cannot get in the way of a driver that starts.
    """
    about = _read(directory)
    return _who(about) if about and _alive(about) else ""


def _read(directory: Path) -> dict[str, Any] | None:
    try:
        return dict(json.loads((directory / _HOLDER).read_text()))
    except (OSError, ValueError):  # its driver has only just begun, or left none
        return None


def _who(about: dict[str, Any] | None) -> str:
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
