"""Check that this machine can run the course: versions, cores, memory, disk, device, a MAC count and a short training."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..design.architecture import Architecture
from ..design.cost import cost
from ..environment import cores
from ..errors import AblationError

PACKAGES = ("torch", "torchvision", "timm", "fvcore", "captum", "scikit-learn", "matplotlib", "ipywidgets")
MIN_PYTHON = (3, 11)
MIN_MEMORY_GB, MIN_DISK_GB = 4, 1
_TINY_NETWORK = Architecture(depths=(1, 1, 1, 1), width=8, stem_stride=1)


def self_test() -> bool:
    """Print a line for each requirement of the course: "OK", or "problem" and how to solve it.

    Returns:
        True if there is no problem.
    """
    checks: dict[str, Callable[[], str]] = {
        "python": _python,
        "packages": _packages,
        "cores": lambda: f"{cores()}; one trial runs on each",
        "memory": _memory,
        "disk": _disk,
        "device": _device,
        "count": _count,
        "training": _training,
    }
    problems = 0
    for name, check in checks.items():
        try:
            message, state = check(), "OK"
        except AblationError as problem:
            message, state = str(problem), "problem"
        except Exception as error:  # a broken installation may raise anything
            message = f"{type(error).__name__}: {error}. Set up the environment again, as described in the README"
            state = "problem"
        problems += state == "problem"
        print(f"{state:8} {name:9} {message}")
    print(f"\n{problems} of {len(checks)} need attention" if problems else "\nThis machine can run the course.")
    return not problems


def _python() -> str:
    if sys.version_info < MIN_PYTHON:
        raise AblationError(
            f"{platform.python_version()} is too old: {'.'.join(map(str, MIN_PYTHON))} or newer is required"
        )
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _packages() -> str:
    found, missing = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            missing.append(package)
    if missing:
        raise AblationError(
            f'not installed: {", ".join(missing)}. Run pip install -e ".[course]" in the project\'s folder'
        )
    return ", ".join(found)


def _memory() -> str:
    import psutil

    total = psutil.virtual_memory().total / 1e9
    if total < MIN_MEMORY_GB:
        raise AblationError(
            f"{total:.1f} GB; some notebooks need {MIN_MEMORY_GB} GB. Close other programs, and run one notebook at a time"
        )
    return f"{total:.0f} GB"


def _disk() -> str:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free < MIN_DISK_GB:
        raise AblationError(f"{free:.1f} GB free in this folder; {MIN_DISK_GB} GB is needed for trained networks")
    if not os.access(Path.cwd(), os.W_OK):
        raise AblationError("this folder is not writable: copy the notebooks to one that is")
    return f"{free:.0f} GB free, and the folder can be written to"


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"CUDA, {torch.cuda.get_device_name()}; used by trials automatically"
    if torch.backends.mps.is_available():
        return "CPU; MPS is available too, but nothing in the course was measured on it"
    return "CPU, which is all that the course needs"


def _count() -> str:
    from ..measure.counting import count
    from ..network import build

    counted, closed = (
        count(build(_TINY_NETWORK, 10, 1), size=8, in_chans=1),
        cost(_TINY_NETWORK, size=8, num_classes=10, in_chans=1),
    )
    if (counted.params, counted.macs) != (closed.params, closed.macs):
        raise AblationError(
            f"a small network has {counted.macs:,} MACs by count and {closed.macs:,} in closed form; "
            "please report this, with the versions above"
        )
    return f"{counted.macs:,} MACs by count and in closed form, for a small network"


def _training() -> str:
    import torch
    from torch.nn.functional import cross_entropy

    from ..network import build

    device = "cuda" if torch.cuda.is_available() else "cpu"  # where trials run
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, images, labels = build(_TINY_NETWORK, 10, 1), torch.randn(16, 1, 8, 8), torch.arange(16) % 10
    network, images, labels = network.to(device), images.to(device), labels.to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    if not losses[-1] < losses[0]:
        raise AblationError(f"twenty steps took the loss from {losses[0]:.3f} to {losses[-1]:.3f}; it should decrease")
    return f"twenty steps took the loss from {losses[0]:.2f} to {losses[-1]:.2f} on {device}"
