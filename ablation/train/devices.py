"""Which device trials run on and in which precision, chosen for the user and told.

bf16 has the range of float32, so that it needs no loss scaling. GPUs before compute capability 8 only emulate it, which is
slower than float32, although `torch.cuda.is_bf16_supported` says True there; from 7 on they multiply fp16 matrices fast.
"""

from __future__ import annotations

import os
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
class Hardware:
    """What a machine has besides its CPU.

    Args:
        gpu: name of the CUDA device of this process, or "".
        capability: its compute capability.
        mps: whether there is a GPU by Apple.
    """

    gpu: str = ""
    capability: tuple[int, int] = (0, 0)
    mps: bool = False

    @property
    def devices(self) -> list[str]:
        """Names of the devices, the one to be chosen by default first."""
        return ["cuda"] * bool(self.gpu) + ["mps"] * self.mps + ["cpu"]


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


def choose(device: str = "auto", precision: str = "auto", hardware: Hardware | None = None) -> Choice:
    """Choose the device and precision of a trial on this machine.

    Args:
        device: a name in `DEVICES`.
        precision: a name in `PRECISIONS`, or "no" for "fp32".
        hardware: what the machine has; by default, what this one has.

    Raises:
        AblationError: if the machine does not have the device, or the device cannot train in the precision.

    >>> print(choose("auto", "auto", Hardware("NVIDIA T4", (7, 5))).said)
    cuda (NVIDIA T4), fp16: no bf16 before compute capability 8
    """
    asked = check_precision(precision)
    found = hardware or this_hardware(check_device(device))
    place = choose_device(device, found).type
    chosen = choose_precision(precision, place, found.capability)
    said = f"{place} ({found.gpu}), {chosen}" if place == "cuda" else f"{place}, {chosen}"
    if place == "cuda" and found.capability < _BF16_FROM:
        if chosen == "bf16":
            said += ": emulated and slow before compute capability 8"
        elif asked == "auto":
            said += f": no bf16 before compute capability 8{', no fast fp16 before 7' * (chosen == 'fp32')}"
    return Choice(place, chosen, place == "cuda" and found.capability >= _BF16_FROM, said)


def choose_device(name: str = "auto", hardware: Hardware | None = None) -> torch.device:
    """Return the device of a name in `DEVICES`: with "auto", a GPU where there is one.

    Raises:
        AblationError: if the machine does not have it.
    """
    import torch

    devices = (hardware or this_hardware(check_device(name))).devices
    if check_device(name) == "auto":
        return torch.device(devices[0])
    if name not in devices:
        raise AblationError(f"device {name!r}: this machine has none. Possible: auto, {', '.join(devices)}")
    return torch.device(name)


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
        raise AblationError(f"precision 'fp16' is not possible on {_TITLES[device]}. Possible: auto, fp32, bf16")
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


def this_hardware(device: str = "auto") -> Hardware:
    """Return what this machine has, without waking a GPU that "cpu" does not need."""
    if device == "cpu" or os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes", "on"):
        return Hardware()  # the variable is set by `accelerate launch --cpu`
    import torch

    gpu = torch.cuda.is_available()
    return Hardware(
        torch.cuda.get_device_name() if gpu else "",
        torch.cuda.get_device_capability() if gpu else (0, 0),
        torch.backends.mps.is_available(),
    )
