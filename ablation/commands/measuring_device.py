"""The device on which networks are measured, rather than trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import AblationError
from ..train.devices import DEVICES, choose_device

if TYPE_CHECKING:
    import torch


def measuring_device(name: str) -> torch.device:
    """Return the device of a name in `DEVICES`: with "auto", a CUDA device where there is one.

    Raises:
        AblationError: if the machine does not have the device, or it is MPS, which cannot add up in float64 as fields and
            attributions are.
    """
    import torch

    device = choose_device(name)
    if device.type != "mps":
        return device
    if name == "auto":
        return torch.device("cpu")
    possible = ", ".join(one for one in DEVICES if one != name)
    raise AblationError(f"device {name!r} has no float64, in which this is measured. Possible: {possible}")
