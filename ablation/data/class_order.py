"""The order of class folders, which decides the label of each class.

torchvision's `ImageFolder` sorts the names as text: 0, 1, 10, 11, 2. timm's `ReaderImageFolder` sorts them naturally and
without regard to case: 0, 1, 2, 10, 11. A network that was trained with one order and is scored with the other gets most
labels wrong, without any error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import unknown

CLASS_ORDERS = ("torchvision", "timm")


def sort_classes(names: Iterable[str], order: str = "torchvision") -> tuple[str, ...]:
    """Return class names in the order of their labels.

    Args:
        names: names of the class folders.
        order: "torchvision" (as text) or "timm" (naturally, without regard to case).

    Raises:
        AblationError: if no order has that name.

    >>> sort_classes(["2", "10", "1"]), sort_classes(["2", "10", "1"], "timm")
    (('1', '10', '2'), ('1', '2', '10'))
    """
    if order not in CLASS_ORDERS:
        raise unknown("class order", order, CLASS_ORDERS)
    plain = sorted(names)  # the second sort is stable, so that names that differ only in case have one order
    return tuple(plain if order == "torchvision" else sorted(plain, key=natural_key))


def orders_differ(names: Iterable[str]) -> bool:
    """Return whether the labels of these classes depend on the order.

    >>> orders_differ(["ant", "Bee"]), orders_differ(["ant", "bee"])
    (True, False)
    """
    known = tuple(names)
    return len({sort_classes(known, order) for order in CLASS_ORDERS}) > 1


def natural_key(text: str) -> tuple[str | int, ...]:
    """Return the key of timm's natural sort, in which numbers are compared by value and letters without regard to case.

    timm's own function raises a ValueError for digits that are no numbers, such as a superscript.
    """
    parts = re.split(r"(\d+)", text.lower())
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts))
