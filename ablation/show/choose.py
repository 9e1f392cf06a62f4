"""Which of many networks a figure shows, chosen by their numbers: a few panels, large enough to be read."""

from __future__ import annotations

from collections.abc import Sequence


def choose(values: Sequence[float], most: int) -> list[int]:
    """Return the places of the first and the last value and of those that differ most from the value before them.

    Args:
        values: one value per network, in the order of the ladder.
        most: number of networks to keep; at least 2.

    Returns:
        Places in ascending order; all of them if there are no more than `most`.

    >>> choose([10, 10, 11, 30, 30, 12], 4)
    [0, 2, 3, 5]
    """
    last = len(values) - 1
    if len(values) <= most:
        return list(range(len(values)))
    between = sorted(range(1, last), key=lambda i: -abs(values[i] - values[i - 1]))
    return sorted({0, last, *between[: most - 2]})
