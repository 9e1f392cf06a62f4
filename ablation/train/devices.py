"""Which device trials run on and in which precision, chosen for the user and told.

bf16 has the range of float32, so that it needs no loss scaling. GPUs before compute capability 8 only emulate it, which is
slower than float32, although `torch.cuda.is_bf16_supported` says True there; from 7 on they multiply fp16 matrices fast.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import AblationError, unknown

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
_FP32 = "no"  # another name of fp32, which earlier versions stored
_BF16_FROM, _FP16_FROM = (8, 0), (7, 0)  # compute capabilities
_TITLES = {"cpu": "a CPU", "mps": "MPS"}


@dataclass(frozen=True)
class Gpu:
    """The CUDA device of this process: its name and its compute capability."""

    name: str
    capability: tuple[int, int]


@dataclass(frozen=True)
class Choice:
    """Device and precision of a trial.

    Args:
        device: "cpu", "cuda" or "mps".
        precision: "fp32", "bf16" or "fp16".
        tf32: whether matrix products and convolutions of float32 numbers are computed in TF32 during training.
        said: the choice in one line, with its reason.
    """

    device: str
    precision: str
    tf32: bool
    said: str


def choose(
    device: str = "auto", precision: str = "auto", devices: Sequence[str] | None = None, gpu: Gpu | None = None
) -> Choice:
    """Choose the device and precision of a trial on this machine.

    Args:
        device: a name in `DEVICES`.
        precision: a name in `PRECISIONS`, or "no" for "fp32".
        devices: what the machine has, as from `present_devices`; by default, what this one has.
        gpu: its CUDA device, if it has one; by default, that of this process.

    Raises:
        AblationError: if the machine does not have the device, or the device cannot train in the precision.

    >>> print(choose("auto", "auto", ["cuda", "cpu"], Gpu("NVIDIA T4", (7, 5))).said)
    cuda (NVIDIA T4), fp16: no bf16 before compute capability 8
    """
    asked = check_precision(precision)
    kind = choose_device(device, devices).type
    if kind != "cuda":
        chosen = choose_precision(precision, kind)
        return Choice(kind, chosen, False, f"{kind}, {chosen}")
    gpu = gpu or _this_gpu()
    chosen, said = choose_precision(precision, kind, gpu.capability), ""
    if gpu.capability < _BF16_FROM:
        if chosen == "bf16":
            said = ": emulated and slow before compute capability 8"
        elif asked == "auto":
            said = f": no bf16 before compute capability 8{', no fast fp16 before 7' * (chosen == 'fp32')}"
    return Choice(kind, chosen, gpu.capability >= _BF16_FROM, f"{kind} ({gpu.name}), {chosen}{said}")


def announcement(device: str, precision: str) -> str:
    """Return the choice in one line; "" for float32 on the CPU of a machine without a GPU where nothing else was asked for."""
    choice = choose(device, precision)
    return "" if choice.device == "cpu" and device == check_precision(precision) == "auto" else choice.said


def choose_device(name: str = "auto", devices: Sequence[str] | None = None) -> torch.device:
    """Return the device of a name in `DEVICES`: with "auto", a GPU where there is one.

    Args:
        name: the name.
        devices: what the machine has, the default first; by default, what this one has. A GPU is not opened.

    Raises:
        AblationError: if the machine does not have it.
    """
    check_device(name)
    import torch

    if name == "cpu":
        return torch.device(name)
    devices = present_devices() if devices is None else devices
    if name != "auto" and name not in devices:
        possible = ", ".join(one for one in DEVICES if one == "auto" or one in devices)
        raise AblationError(f"device {name!r}: this machine has none. Possible: {possible}")
    return torch.device(devices[0] if name == "auto" else name)


def choose_precision(name: str, device: str, capability: tuple[int, int] = (0, 0)) -> str:
    """Return "fp32", "bf16" or "fp16" for a name in `PRECISIONS`.

    Args:
        name: with "auto", the fastest that trains as well as float32 does, as far as is known.
        device: "cpu", "cuda" or "mps".
        capability: compute capability of a CUDA device.

    Raises:
        AblationError: if the device cannot train in this precision.
    """
    name = check_precision(name)
    if name == "auto":
        if device != "cuda" or capability < _FP16_FROM:
            return "fp32"
        return "fp16" if capability < _BF16_FROM else "bf16"
    if name == "fp16" and device != "cuda":
        possible = ", ".join(one for one in PRECISIONS if one != name)
        raise AblationError(f"precision 'fp16' is not possible on {_TITLES[device]}. Possible: {possible}")
    return name


def check_device(name: str) -> str:
    """Return a name in `DEVICES`, or raise an `AblationError`."""
    if name not in DEVICES:
        raise unknown("device", name, DEVICES)
    return name


def check_precision(name: str) -> str:
    """Return a name in `PRECISIONS`, or raise an `AblationError`; "no" is "fp32"."""
    if name != _FP32 and name not in PRECISIONS:
        raise unknown("precision", name, PRECISIONS)
    return stored_precision(name)


def stored_precision(name: str) -> str:
    """Return the name of a precision as it is stored now: "no" in outcomes of earlier versions is "fp32"."""
    return "fp32" if name == _FP32 else name


def present_devices() -> list[str]:
    """Return the devices of this machine, the one to be chosen by default first."""
    if os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "on"):
        return ["cpu"]  # the variable is set by `accelerate launch --cpu`
    import torch

    return ["cuda"] * bool(torch.cuda.device_count()) + ["mps"] * torch.backends.mps.is_available() + ["cpu"]


def _this_gpu() -> Gpu:
    import torch

    return Gpu(torch.cuda.get_device_name(), torch.cuda.get_device_capability())
