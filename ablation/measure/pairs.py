"""Compare the speed of two networks with interleaved timings, so that other load on the machine affects both.

Two separate timings also compare the state of the machine at two moments. Here the calls alternate, first then second,
second then first, and the ratio of each pair is recorded. The confidence interval of the median ratio is based on order
statistics and makes no assumption about the distribution of the ratios.
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
from .sizes import Size, image_shape, is_positive

MIN_PAIRS = 6  # with fewer pairs, no 95 % interval of this kind exists


@dataclass(frozen=True)
class Pairs:
    """Durations of paired calls.

    Args:
        first, second: seconds per call of the first and of the second module, one entry per pair.
    """

    first: tuple[float, ...]
    second: tuple[float, ...]

    @property
    def ratios(self) -> list[float]:
        """Time of the second divided by time of the first, for each pair, in ascending order."""
        return sorted(b / a for a, b in zip(self.first, self.second, strict=True))

    @property
    def ratio(self) -> float:
        """Median of the ratios; above 1, the first is faster."""
        return statistics.median(self.ratios)

    @property
    def interval(self) -> tuple[float, float]:
        """Confidence interval of the median ratio, at a level of at least 95 %."""
        n = len(self.ratios)
        cut, tail = 0, 1 / 2**n  # probability that the true median is below the smallest of n ratios
        while cut + 1 < n // 2 and 2 * (tail + comb(n, cut + 1) / 2**n) <= 0.05:
            cut += 1
            tail += comb(n, cut) / 2**n
        return self.ratios[cut], self.ratios[n - 1 - cut]

    def verdict(self, first: str, second: str) -> str:
        """Return a sentence: which of the two is faster, or that the pairs do not show it.

        Args:
            first, second: names of the two.
        """
        low, high = self.interval
        if low > 1 or high < 1:
            faster, slower = (first, second) if low > 1 else (second, first)
            return f"{faster} is faster than {slower}"
        return f"{len(self.first)} pairs do not show whether {first} or {second} is faster"


def interleaved(
    first: nn.Module, second: nn.Module, size: Size = 224, batch: int = 1, in_chans: int = 3, pairs: int = 8
) -> Pairs:
    """Time forward passes of two modules in alternation, in eval mode and without gradients.

    Args:
        first, second: modules that take (batch, in_chans, height, width), on the same device.
        size: side of the square image in pixels, or (height, width).
        batch: images per call.
        in_chans: channels of an image.
        pairs: number of pairs of calls, after one warm-up call of each module.

    Raises:
        AblationError: if there are too few pairs for an interval, a number is not 1 or more, or a module cannot be run.
    """
    if pairs < MIN_PAIRS:
        raise AblationError(f"pairs {pairs} must be {MIN_PAIRS} or more: with fewer, no 95 % interval exists")
    if not is_positive(batch):
        raise AblationError(f"batch {batch!r} must be 1 or more")
    shape = image_shape(size, in_chans)
    refuse_inference_mode("timing requires the normal autograd mode")
    device, dtype = device_and_dtype(first)
    images = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(0)).to(device, dtype)

    def seconds(module: nn.Module) -> float:
        _synchronize(device)
        start = time.perf_counter()
        run(module, images, copy=False)
        _synchronize(device)
        return time.perf_counter() - start

    with evaluating(first), evaluating(second), torch.no_grad():
        return alternate(lambda: seconds(first), lambda: seconds(second), pairs)


def alternate(first: Callable[[], float], second: Callable[[], float], pairs: int) -> Pairs:
    """Call two timed functions in alternation: first, second; second, first; and so on, after one warm-up call of each.

    Args:
        first, second: functions that do their work once and return the seconds it took.
        pairs: number of pairs to record.
    """
    first()
    second()
    times: tuple[list[float], list[float]] = ([], [])
    for pair in range(pairs):
        order = ((0, first), (1, second)) if pair % 2 == 0 else ((1, second), (0, first))
        for index, timed_call in order:
            times[index].append(timed_call())
    return Pairs(tuple(times[0]), tuple(times[1]))


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
