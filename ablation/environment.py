"""What a result was measured on: versions, device, threads, commit."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

from .version import __version__

_PACKAGES = ("torch", "torchvision", "timm", "numpy")

# Of <malloc.h>: memory at the top of the heap that is given back, and the size from which a block is mapped by itself.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_THRESHOLD = 32 * 2**20  # bytes: what glibc accepts
_ALL = 2**31 - 1


def describe_environment(device: str) -> dict[str, Any]:
    """Versions of what a result depends on, the device, the threads and, in a git checkout, the commit."""
    import torch

    about: dict[str, Any] = {name: version(name) for name in _PACKAGES}
    about["convnext-ablation"] = __version__  # not from its metadata: it may run from a folder, without being installed
    about["python"] = platform.python_version()
    about["machine"] = f"{platform.system()} {platform.machine()}"
    about["device"] = torch.cuda.get_device_name() if device == "cuda" else device
    about["threads"] = torch.get_num_threads()
    about["commit"] = commit()
    return about


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def commit() -> str:
    """The commit of the checkout that this library runs from, with "+changes" where files differ; "" outside of one."""
    folder = Path(__file__).resolve().parents[1]
    if not (folder / ".git").exists():
        return ""
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD")
        return head + ("+changes" if _git(folder, "status", "--porcelain", "--", "ablation") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def keep_freed_memory() -> bool:
    """Let glibc keep what tensors free for the next ones; for the rest of this process. Elsewhere nothing happens.

    By default it hands large blocks back, and every call of a network then waits for the system to clear them anew: a ResNet-50
    on 8 images of 224 px took 0.42 s to 0.9 s from call to call, and 0.39 s to 0.44 s with this (2 cores). On a GPU
    torch's own allocator does the same. A command's or a worker's choice to make, not the library's.

    Returns:
        Whether it was done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)) and bool(mallopt(_TRIM_THRESHOLD, _ALL))
