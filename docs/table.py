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
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, partial
from itertools import accumulate, product
from operator import mul
from typing import Any

from ablation.design.architecture import RESNET50
from ablation.show.explorer.state import RUNGS, SWITCHES, Design
from ablation.show.explorer.switches import effect_text
from docs.fragments import FIELDS, VIEWS, address, numbers, values

KERNEL_AXIS = next(i for i, switch in enumerate(SWITCHES) if switch.step.name.startswith("kernel_size"))
KERNELS = (3, 7, 5, 9, 11)  # off, on, and what the paper tried beside it
LENGTHS = tuple(len(KERNELS) if i == KERNEL_AXIS else 2 for i in range(len(SWITCHES)))
ORDER = (*(i for i in range(len(SWITCHES)) if i != KERNEL_AXIS), KERNEL_AXIS)  # from the lowest digit to the highest


_CONTROLLED = ("depths", "width", "kernel_size")  # fields with a free control
_NO_CONTROL = tuple(switch.field for switch in SWITCHES if switch.field not in _CONTROLLED)


@lru_cache(maxsize=1)
def designs() -> tuple[Design, ...]:
    """Return all designs of the table in the order of their numbers."""
    choices = {SWITCHES[axis].field: _choices(axis) for axis in reversed(ORDER)}
    return tuple(Design(RESNET50.replace(**dict(zip(choices, chosen, strict=True)))) for chosen in product(*choices.values()))


def _choices(axis: int) -> tuple[Any, ...]:
    """Return the values of a switch's field: off, on, and for the kernel the others."""
    field = SWITCHES[axis].field
    return KERNELS if axis == KERNEL_AXIS else tuple(getattr(a, field) for a in (RESNET50, SWITCHES[axis].step(RESNET50)))


def packed(view: Callable[[Design], Hashable], ignores: Sequence[str] = ()) -> dict[str, Any]:
    """Return what a view has for each design: the axes it depends on, the distinct values, and where each combination has its.

    Args:
        view: a function of a design.
        ignores: fields of the network on which it does not depend.
    """
    axes = [axis for axis in ORDER if SWITCHES[axis].field not in ignores]
    places = list(accumulate((LENGTHS[axis] for axis in ORDER), mul, initial=1))
    ignored = [(place, LENGTHS[axis]) for place, axis in zip(places, ORDER, strict=False) if axis not in axes]
    kept = [number for number in range(places[-1]) if not any(number // place % length for place, length in ignored)]
    found: dict[Hashable, int] = {}
    which = [found.setdefault(view(designs()[number]), len(found)) for number in kept]
    return {"axes": axes, "values": list(found), "which": which}


def table() -> dict[str, Any]:
    """Return the whole table as plain data."""
    return {
        "lengths": LENGTHS,
        "order": ORDER,
        "rungs": [designs().index(Design(rung.architecture)) for rung in RUNGS],
        "fields": (*FIELDS, "size"),
        "parts": [_parts(name) for name in FIELDS if name in {switch.field for switch in SWITCHES}],
        "numbers": packed(numbers, ("activation",)),
        "values": packed(lambda design: json.dumps(values(design), separators=(",", ":")), _NO_CONTROL),
        "views": {name: packed(view, ignores) for name, (view, ignores) in VIEWS.items()},
        "effects": [packed(partial(effect_text, switch=switch), ("activation", "activations")) for switch in SWITCHES],
    }


def _parts(name: str) -> tuple[int, list[str]]:
    """Return the axis of a field and what each of its values adds to the address of a design."""
    axis = next(i for i, switch in enumerate(SWITCHES) if switch.field == name)
    return axis, [address(Design(RESNET50.replace(**{name: value}))) for value in _choices(axis)]


def script(name: str, data: bytes) -> str:
    """Return a script that leaves data, deflated, where the page finds it: a page from disk may run scripts but read no file."""
    text = base64.b64encode(zlib.compress(data, 9)).decode()
    return f'(window.packed ??= {{}})["{name}"] = "{text}";\n'


def table_script() -> str:
    """Return the table as a script."""
    return script("table", json.dumps(table(), separators=(",", ":"), ensure_ascii=False).encode())
