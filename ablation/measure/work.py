"""What a layer computes for each byte it must move, and how fast this machine moves bytes: the two sides of a roofline.

Arithmetic intensity after Williams et al. 2009 (https://doi.org/10.1145/1498765.1498785), in multiply-accumulates a byte. The
bytes are the least there can be: what goes in, the weights, and what comes out, each once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from ..errors import AblationError
from .counting import count
from .features import run
from .modes import device_and_dtype, evaluating
from .timing import sampled_seconds

_COPIED = 2**26  # bytes: larger than the caches of a processor
_COPIES = 7


@dataclass(frozen=True)
class Work:
    """One call of a module on a batch.

    Args:
        macs: multiply-accumulates.
        bytes: input, weights and output, each once.
    """

    macs: int
    bytes: int

    @property
    def intensity(self) -> float:
        """Multiply-accumulates for each byte."""
        return self.macs / self.bytes


def work(module: nn.Module, size: int, batch: int = 1, in_chans: int = 3) -> Work:
    """The MACs of a layer and the bytes that it must move at least.

    Args:
        module: takes (batch, in_chans, size, size) and puts out one tensor. Meant for one layer: what moves inside is not
            seen.
        size: side of the square map in positions.
        batch: maps in a call.
        in_chans: channels of the map.

    Raises:
        AblationError: if the module cannot be counted or run.

    >>> work(nn.Conv2d(4, 8, 1, bias=False), size=5, batch=2, in_chans=4)
    Work(macs=1600, bytes=2528)
    """
    if batch < 1:
        raise AblationError(f"batch {batch} must be 1 or more")
    device, dtype = device_and_dtype(module)
    maps = torch.zeros(batch, in_chans, size, size, device=device, dtype=dtype)
    with evaluating(module), torch.no_grad():
        output = run(module, maps, copy=False)
    tensors = [maps, output, *module.parameters()]
    moved = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return Work(macs=batch * count(module, size, in_chans).macs, bytes=moved)


@cache
def memory_rate(device: str, threads: int) -> float:
    """Bytes a second that this machine reads and writes in copying 64 MiB, the best of 7; measured once a process.

    Args:
        device: "cpu" or "cuda".
        threads: that torch runs with; another number, another rate.
    """
    source = torch.ones(_COPIED // 4, device=device)
    target = torch.empty_like(source)
    best = min(sampled_seconds(lambda: target.copy_(source), _COPIES, torch.device(device)))
    return 2 * _COPIED / best  # each byte is read and written
