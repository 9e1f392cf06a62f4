"""Work that every training process of a machine needs and one of them does."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
from filelock import FileLock

from ..files import write_atomically
from .chunks import local_processes


def once_per_machine(name: str, compute: Callable[[], str]) -> str:
    """Return a text that only the first of the training processes of this machine computes; the others wait for it.

    It is kept in a temporary file, for this start of the training alone: what the text describes can change until the next.
    A process that fails or is killed leaves the work to the next one.

    Args:
        name: of the text; every process has the same.
        compute: returns the text.

    Raises:
        AblationError: if the temporary folder is not writable, or what `compute` raises.
    """
    if local_processes() == 1:
        return compute()
    starter = psutil.Process().parent()  # torchrun, whose number may be used again but not at the same time
    launch = () if starter is None else (starter.pid, starter.create_time())
    key = hashlib.sha256(repr((launch, os.environ.get("TORCHELASTIC_RUN_ID"), name)).encode()).hexdigest()[:20]
    file = Path(tempfile.gettempdir()) / f"ablation-{getattr(os, 'getuid', int)()}" / key
    file.parent.mkdir(mode=0o700, exist_ok=True)
    with FileLock(f"{file}.lock"):
        if not file.is_file():
            write_atomically(file, compute().encode())
        return file.read_text()
