"""Interleaved pairs of timings of this library and an alternative, so that other load on the machine affects both."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True)
class Pairs:
    """Wall-clock seconds of this library and of the alternative, one entry per pair.

    Args:
        ours, theirs: lists of equal length, with two or more entries.
    """

    ours: list[float]
    theirs: list[float]

    def ratio(self) -> tuple[str, str]:
        """Return the median and the quartiles of the speed ratio, ours divided by theirs, as text."""
        ratios = [theirs / ours for ours, theirs in zip(self.ours, self.theirs, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")  # "inclusive" never extrapolates
        return f"{middle:.3f}", f"{low:.3f} to {high:.3f}"

    def speeds(self, images: int) -> tuple[float, float]:
        """Return the median images per second of ours and of theirs, for the given number of images per call."""
        return images / statistics.median(self.ours), images / statistics.median(self.theirs)


def seconds(call: Call) -> float:
    """Return the wall-clock seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleaved(
    ours: Call,
    theirs: Call,
    pairs: int,
    tick: Callable[[], None],
    warm: bool = True,
    clock: Callable[[Call], float] = seconds,
) -> Pairs:
    """Time pairs of calls with alternating order.

    Args:
        ours, theirs: the functions to time.
        pairs: number of pairs.
        tick: called after each pair.
        warm: whether to call each function once before timing; not needed if every call starts new processes.
        clock: returns the seconds of one call.
    """
    if warm:
        ours(), theirs()
    timed = Pairs([], [])
    sides = [(ours, timed.ours), (theirs, timed.theirs)]
    for _ in range(pairs):
        for call, times in sides:
            times.append(clock(call))
        sides.reverse()
        tick()
    return timed
