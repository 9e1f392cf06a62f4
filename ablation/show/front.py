"""The Pareto front: what nothing else beats in cost and in worth."""

from __future__ import annotations


def pareto_front(cost: list[float], value: list[float]) -> set[int]:
    """Indices of what nothing else beats: no other costs no more and is worth no less, with one of the two better.

    >>> sorted(pareto_front([1, 2, 3, 3], [10, 9, 12, 11]))
    [0, 2]
    """
    return {
        i
        for i, (c, v) in enumerate(zip(cost, value, strict=True))
        if not any(
            other_c <= c and other_v >= v and (other_c < c or other_v > v)
            for other_c, other_v in zip(cost, value, strict=True)
        )
    }
