"""Which of two networks is faster: timed in turns, so that whatever slows the machine down slows both.

Two timings one after the other compare the machine at two moments. Here the calls alternate, first and second, then second and
first, and what is kept is the ratio of each pair. The interval for their median is that of the order statistics, which supposes
nothing about how the ratios are distributed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import torch
from torch import nn

from ..errors import AblationError
from .features import run
from .modes import device_and_dtype, evaluating, refuse_inference_mode

LEAST_PAIRS = 6  # fewer have no 95 % interval of this kind


@dataclass(frozen=True)
class Pairs:
    """Seconds of one call, pair by pair.

    Args:
        first, second: seconds of the first and of the second module.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Seconds of the second over those of the first, for each pair, in rising order."""
        return sorted(b / a for a, b in zip(self.first, self.second, strict=True))

    @property
    def ratio(self) -> float:
        """Their median: above 1, the first is faster."""
        return statistics.median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """Between which two of the ratios the median lies, with 95 % confidence or a little more."""
        n = len(self.ratios)
        cut, tail = 0, 1 / 2**n  # chance that the median lies below the smallest of n
        while cut + 1 < n // 2 and 2 * (tail + comb(n, cut + 1) / 2**n) <= 0.05:
            cut += 1
            tail += comb(n, cut) / 2**n
        return self.ratios[cut], self.ratios[n - 1 - cut]

    def verdict(self, first: str, second: str) -> str:
        """In words: which one is faster, or that this cannot be told.

        Args:
            first, second: what to call the two.
        """
        low, high = self.interval
        if low > 1 or high < 1:
            faster, slower = (first, second) if low > 1 else (second, first)
            return f"{faster} is faster than {slower}"
        return f"{first} or {second}: which is faster cannot be told from {len(self.first)} pairs"


def interleaved(
    first: nn.Module, second: nn.Module, size: int = 224, batch: int = 1, in_chans: int = 3, pairs: int = 8
) -> Pairs:
    """Time two modules in turns, forward, in eval mode and without gradients.

    Args:
        first, second: take (batch, in_chans, size, size), on one device.
        size: side of the square image in pixels.
        batch: images in a call.
        in_chans: channels of an image.
        pairs: of calls, after one of each to warm up.

    Raises:
        AblationError: if there are too few pairs for an interval, or a module cannot be run.
    """
    if pairs < LEAST_PAIRS:
        raise AblationError(f"pairs {pairs} must be {LEAST_PAIRS} or more: fewer have no 95 % interval")
    refuse_inference_mode("timing in turns needs the modes as they are")
    device, dtype = device_and_dtype(first)
    images = torch.randn(batch, in_chans, size, size, generator=torch.Generator().manual_seed(0)).to(device, dtype)

    def seconds(module: nn.Module) -> float:
        _wait(device)
        began = time.perf_counter()
        run(module, images, copy=False)
        _wait(device)
        return time.perf_counter() - began

    with evaluating(first), evaluating(second), torch.no_grad():
        return alternate(lambda: seconds(first), lambda: seconds(second), pairs)


def alternate(first: Callable[[], float], second: Callable[[], float], pairs: int) -> Pairs:
    """Call two clocks in turns: one, two; two, one; and so on, once each before to warm up.

    Args:
        first, second: do their work once and return the seconds it took.
        pairs: how many are kept.
    """
    first()
    second()
    kept: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs):
        order = ((0, first), (1, second)) if pair % 2 == 0 else ((1, second), (0, first))
        for which, clock in order:
            kept[which].append(clock())
    return Pairs(tuple(kept[0]), tuple(kept[1]))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
