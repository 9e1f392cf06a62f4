"""The Pareto front of cost and value."""

from __future__ import annotations


def pareto_front(cost: list[float], value: list[float]) -> set[int]:
    """Return the indices of the entries on the Pareto front.

    An entry is on the front if no other entry has at most its cost and at least its value, with one of the two better.

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
