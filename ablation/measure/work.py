"""Arithmetic intensity of a layer and memory bandwidth of this machine, the inputs of a roofline plot.

Arithmetic intensity follows Williams et al. 2009 (https://doi.org/10.1145/1498765.1498785), in multiply-accumulates per
byte. The bytes are a lower bound: input, weights and output, each moved once.
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
from .sizes import Size, image_shape
from .timing import sampled_seconds

_COPIED = 2**26  # bytes: larger than the caches of a processor
_COPIES = 7


@dataclass(frozen=True)
class Work:
    """MACs and memory traffic of one call of a module on a batch.

    Args:
        macs: multiply-accumulates.
        bytes: input, weights and output, each once.
    """

    macs: int
    bytes: int

    @property
    def intensity(self) -> float:
        """Multiply-accumulates per byte."""
        return self.macs / self.bytes


def work(module: nn.Module, size: Size, batch: int = 1, in_chans: int = 3) -> Work:
    """Return the MACs of a layer and the minimum number of bytes that it moves.

    Args:
        module: takes (batch, in_chans, height, width) and outputs one tensor. Intended for a single layer: intermediate
            results are not counted.
        size: side of the square map in positions, or (height, width).
        batch: maps per call.
        in_chans: channels of the map.

    Raises:
        AblationError: if a number is not 1 or more, or the module cannot be counted or run.

    >>> work(nn.Conv2d(4, 8, 1, bias=False), size=5, batch=2, in_chans=4)
    Work(macs=1600, bytes=2528)
    """
    if batch < 1:
        raise AblationError(f"batch {batch} must be 1 or more")
    shape = image_shape(size, in_chans)
    device, dtype = device_and_dtype(module)
    maps = torch.zeros(batch, *shape, device=device, dtype=dtype)
    with evaluating(module), torch.no_grad():
        output = run(module, maps, copy=False)
    tensors = [maps, output, *module.parameters()]
    moved = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return Work(macs=batch * count(module, size, in_chans).macs, bytes=moved)


@cache
def memory_rate(device: str, threads: int) -> float:
    """Return the bytes per second read and written when copying 64 MiB on this machine, best of 7; cached per process.

    Args:
        device: "cpu" or "cuda".
        threads: number of torch threads; only a cache key, because the rate depends on it.
    """
    source = torch.ones(_COPIED // 4, device=device)
    target = torch.empty_like(source)
    best = min(sampled_seconds(lambda: target.copy_(source), _COPIES, torch.device(device)))
    return 2 * _COPIED / best  # each byte is read and written
