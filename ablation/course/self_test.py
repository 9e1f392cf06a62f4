"""Does this machine run the course? Versions, cores, memory, devices, a count and a training step, one line each."""

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
OLDEST_PYTHON = (3, 11)
LEAST_MEMORY_GB, LEAST_DISK_GB = 4, 1
_SMALL = Architecture(depths=(1, 1, 1, 1), width=8, stem_stride=1)


def self_test() -> bool:
    """Print a line for each thing that the course needs, "OK" or "problem" with what to do about it.

    Returns:
        Whether there is no problem.
    """
    checks: dict[str, Callable[[], str]] = {
        "python": _python,
        "packages": _packages,
        "cores": lambda: f"{cores()}; trials run one for each core",
        "memory": _memory,
        "disk": _disk,
        "device": _device,
        "count": _count,
        "training": _training,
    }
    problems = 0
    for name, check in checks.items():
        try:
            said, state = check(), "OK"
        except AblationError as problem:
            said, state = str(problem), "problem"
        except Exception as error:  # a broken installation fails in any way
            said, state = f"{type(error).__name__}: {error}. Set the environment up anew, as the README says", "problem"
        problems += state == "problem"
        print(f"{state:8} {name:9} {said}")
    print(
        f"\n{problems} of {len(checks)} need attention" if problems else "\nEverything that the course needs is here."
    )
    return not problems


def _python() -> str:
    if sys.version_info < OLDEST_PYTHON:
        raise AblationError(
            f"{platform.python_version()} is too old: {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed"
        )
    return f"{platform.python_version()} on {platform.system()} {platform.machine()}"


def _packages() -> str:
    found, lost = [], []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            lost.append(package)
    if lost:
        raise AblationError(
            f'not installed: {", ".join(lost)}. Run pip install -e ".[course]" in the project\'s folder'
        )
    return ", ".join(found)


def _memory() -> str:
    import psutil  # type: ignore[import-untyped]

    total = psutil.virtual_memory().total / 1e9
    if total < LEAST_MEMORY_GB:
        raise AblationError(
            f"{total:.1f} GB; some notebooks need {LEAST_MEMORY_GB}. Close other programs, and run one at a time"
        )
    return f"{total:.0f} GB"


def _disk() -> str:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free < LEAST_DISK_GB:
        raise AblationError(f"{free:.1f} GB free in this folder; {LEAST_DISK_GB} is needed for what you train")
    if not os.access(Path.cwd(), os.W_OK):
        raise AblationError("this folder cannot be written to: copy the notebooks to one that can")
    return f"{free:.0f} GB free, and the folder can be written to"


def _device() -> str:
    import torch

    if torch.cuda.is_available():
        return f"CUDA, {torch.cuda.get_device_name()}; trials use it by themselves"
    if torch.backends.mps.is_available():
        return "CPU; there is MPS, too, on which nothing in the course was measured"
    return "CPU, which is all that the course needs"


def _count() -> str:
    from ..measure.counting import count
    from ..network import build

    counted, closed = count(build(_SMALL, 10, 1), size=8, in_chans=1), cost(_SMALL, size=8, num_classes=10, in_chans=1)
    if (counted.params, counted.macs) != (closed.params, closed.macs):
        raise AblationError(
            f"a small network has {counted.macs:,} MACs by count and {closed.macs:,} in closed form; "
            "please report this with the versions above"
        )
    return f"{counted.macs:,} MACs by count and in closed form, for a small network"


def _training() -> str:
    import torch
    from torch.nn.functional import cross_entropy

    from ..network import build

    device = "cuda" if torch.cuda.is_available() else "cpu"  # where trials run
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, images, labels = build(_SMALL, 10, 1), torch.randn(16, 1, 8, 8), torch.arange(16) % 10
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
        raise AblationError(f"twenty steps took the loss from {losses[0]:.3f} to {losses[-1]:.3f}; it should fall")
    return f"twenty steps took the loss from {losses[0]:.2f} to {losses[-1]:.2f} on {device}"
