"""The table behind the explorer's page: every combination of the twelve switches, counted and drawn when the site is built.

The switch of the kernel has five values instead of two, so that the kernels that the paper tried and did not keep are in the
table as well. A design is numbered by its axes: the eleven other switches are the digits of a binary number, the first switch
the lowest, and the kernel counts 2,048 each.

A view often depends on few switches, such as the drawing of the stem on one. It is stored once for each combination of those
switches only, and equal texts are stored once.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any

from ablation.design.architecture import RESNET50
from ablation.show.explorer.state import RUNGS, SWITCHES, Design
from docs.fragments import EFFECT, VIEWS, address, numbers

KERNEL_AXIS = next(i for i, switch in enumerate(SWITCHES) if switch.step.name.startswith("kernel_size"))
KERNELS = (3, 7, 5, 9, 11)  # off, on, and what the paper tried beside it
LENGTHS = tuple(len(KERNELS) if i == KERNEL_AXIS else 2 for i in range(len(SWITCHES)))
ORDER = (*(i for i in range(len(SWITCHES)) if i != KERNEL_AXIS), KERNEL_AXIS)  # from the lowest digit to the highest


def number_of(states: Sequence[int]) -> int:
    """Return the number of a design from the position of each switch, in the paper's order."""
    total, place = 0, 1
    for axis in ORDER:
        total += states[axis] * place
        place *= LENGTHS[axis]
    return total


@lru_cache(maxsize=None)
def designs() -> tuple[Design, ...]:
    """Return all designs of the table in the order of their numbers."""
    on = {switch.field: getattr(switch.step(RESNET50), switch.field) for switch in SWITCHES}
    names = [switch.field for switch in SWITCHES]
    found: list[Design] = []
    for digits in product(*(range(LENGTHS[axis]) for axis in reversed(ORDER))):
        changes: dict[str, Any] = {}
        for axis, state in zip(reversed(ORDER), digits, strict=True):
            if axis == KERNEL_AXIS:
                changes[names[axis]] = KERNELS[state]
            elif state:
                changes[names[axis]] = on[names[axis]]
        found.append(Design(RESNET50.replace(**changes)))
    return tuple(found)


def packed(texts: Sequence[Any]) -> dict[str, Any]:
    """Return one value per design as the axes it depends on, the distinct values, and which one each combination has."""
    axes, kept = [], list(texts)
    below = 1  # designs per step of the axis among those kept
    for axis in ORDER:
        length = LENGTHS[axis]
        slices = [
            [value for start in range(place * below, len(kept), below * length) for value in kept[start : start + below]]
            for place in range(length)
        ]
        if all(part == slices[0] for part in slices[1:]):
            kept = slices[0]
        else:
            axes.append(axis)
            below *= length
    distinct = list(dict.fromkeys(kept))
    places = {value: place for place, value in enumerate(distinct)}
    return {"axes": axes, "values": distinct, "which": [places[value] for value in kept]}


def table() -> dict[str, Any]:
    """Return the whole table as plain data."""
    every = designs()
    return {
        "kernels": KERNELS,
        "kernelAxis": KERNEL_AXIS,
        "order": ORDER,
        "switches": [switch.step.name for switch in SWITCHES],
        "address": [address(Design(switch.step(RESNET50))) for switch in SWITCHES],
        "rungs": [every.index(Design(rung.architecture)) for rung in RUNGS],
        "numbers": packed([tuple(numbers(design)) for design in every]),
        "views": {name: packed([view(design) for design in every]) for name, view in VIEWS.items()},
        "effects": [packed([EFFECT(design, switch) for design in every]) for switch in SWITCHES],
    }


def script(name: str, data: bytes) -> str:
    """Return a script that leaves data, deflated, where the page finds it: a page from disk may run scripts but read no file."""
    text = base64.b64encode(zlib.compress(data, 9)).decode()
    return f'(window.packed ??= {{}})["{name}"] = "{text}";\n'


def table_script() -> str:
    """Return the table as a script."""
    return script("table", json.dumps(table(), separators=(",", ":"), ensure_ascii=False).encode())
