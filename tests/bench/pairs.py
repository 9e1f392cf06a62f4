"""Interleaved pairs: the other is timed right beside ours, so that what slows the machine slows both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True)
class Pairs:
    """Wall-clock seconds of ours and of the other, pair by pair.

    Args:
        ours, theirs: of equal length, two or more.
    """

    ours: list[float]
    theirs: list[float]

    def ratio(self) -> tuple[str, str]:
        """Speed of ours over theirs: the median of the pairs, and the quartiles around it."""
        ratios = [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")  # none beyond what was measured
        return f"{middle:.3f}", f"{low:.3f} to {high:.3f}"

    def speeds(self, images: int) -> tuple[float, float]:
        """Median images per second of ours and of theirs, where one call is so many images."""
        return images / statistics.median(self.ours), images / statistics.median(self.theirs)


def seconds(call: Call) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(ours: Call, theirs: Call, pairs: int, tick: Callable[[], None], warm: bool = True) -> Pairs:
    """Time that many pairs of calls, the one that goes first alternating.

    Args:
        ours, theirs: what to time.
        pairs: how many.
        tick: called after each pair.
        warm: call each once before, without counting it; not needed where every call starts anew.
    """
    if warm:
        ours(), theirs()
    timed = Pairs([], [])
    sides = [(ours, timed.ours), (theirs, timed.theirs)]
    for _ in range(pairs):
        for call, kept in sides:
            kept.append(seconds(call))
        sides.reverse()
        tick()
    return timed
