"""Random orders of steps, and how many networks a design has: known before any network is described, which takes seconds."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..errors import check_number

MAX_ORDERS = 10_000  # the error of a mean over them is then a hundredth of their spread


def random_orders(steps: Sequence[str], count: int, seed: int) -> tuple[tuple[str, ...], ...]:
    """Return independent random orders of some steps; a larger count starts with the same orders.

    Raises:
        AblationError: for a count below 1 or above `MAX_ORDERS`.
    """
    check_number("count", count, 1, MAX_ORDERS, whole=True, reason=": it is the number of orders to draw")
    generator = random.Random(seed)
    return tuple(tuple(generator.sample(steps, len(steps))) for _ in range(count))


def count_networks(name: str, steps: Sequence[str], count: int = 20, seed: int = 0) -> int:
    """Return the number of points of a design; arguments as for `designs.design`.

    >>> count_networks("factorial", ["gelu", "depthwise"]), count_networks("leave-one-out", ["gelu", "depthwise"])
    (4, 3)
    """
    if name == "orderings":
        orders = random_orders(steps, count, seed)
        return len({frozenset(order[:size]) for order in orders for size in range(len(order) + 1)})
    return int(2 ** len(steps)) if name == "factorial" else len(steps) + 1
