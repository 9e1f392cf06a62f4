"""The table behind the explorer's page: every combination of the twelve switches, counted and drawn when the site is built.

A design is numbered by its switches: the first switch of the paper is the lowest bit. After these 4,096 come the kernels that
the paper tried on the road and did not keep.

A view often depends on few switches, such as the drawing of the stem on one. It is stored once for each combination of those
switches only, and as pieces, of which equal ones are stored once.
"""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections.abc import Hashable
from functools import cache, partial
from typing import Any

from ablation.design.architecture import RESNET50
from ablation.show.explorer.state import PUBLISHED_SIZE, RUNGS, SWITCHES, Design
from ablation.show.explorer.switches import effect_text
from docs.fragments import FIELDS, FREE_OF_COST, VIEWS, View, address, numbers, values, written

_DEFAULTS = {name: getattr(RESNET50, name) for name in FIELDS} | {"size": PUBLISHED_SIZE}
COMBINATIONS = 2 ** len(SWITCHES)
_FIRST_CHARACTER = 0x23  # after the quote, so that no character of a packed text needs an escape but the backslash
_LAST_CHARACTER = 0xD7FF  # before the surrogates


@cache
def designs() -> tuple[Design, ...]:
    """Return all designs of the table in the order of their numbers."""
    found = []
    for number in range(COMBINATIONS):
        changes = {switch.field: switch.value for bit, switch in enumerate(SWITCHES) if number >> bit & 1}
        found.append(Design(RESNET50.replace(**changes)))
    extra = [Design(rung.architecture) for rung in RUNGS if not rung.adopted]
    return (*found, *extra)


def packed(view: View) -> dict[str, Any]:
    """Return what a view has for each design: its distinct values, and where the value of each combination is.

    Returns:
        `mask`, the bits of the switches on which it depends; `values`; `which`, by the number that those bits of a design's
        number form; and `extra`, the same for the designs after the combinations.
    """
    mask = sum(1 << bit for bit, switch in enumerate(SWITCHES) if switch.field not in view.ignores)
    found: dict[Hashable, int] = {}
    by_key: dict[Hashable, int] = {}

    def place(design: Design) -> int:
        key = view.key(design)
        if key not in by_key:
            by_key[key] = found.setdefault(view.draw(design), len(found))
        return by_key[key]

    which = [place(designs()[number]) for number in range(COMBINATIONS) if number & mask == number]
    extra = [place(design) for design in designs()[COMBINATIONS:]]
    return {"mask": mask, "values": list(found), "which": which, "extra": extra}


def in_pieces(stored: dict[str, Any]) -> dict[str, Any]:
    """Return packed texts with each text as a string of characters, one for each of its pieces."""
    pieces: dict[str, int] = {}
    texts = [
        "".join(
            chr(_FIRST_CHARACTER + pieces.setdefault(piece, len(pieces)))
            for piece in re.split(r'(?=<)|(?<=>)|(?<=" )', text)
            if piece
        )
        for text in stored["values"]
    ]
    assert _FIRST_CHARACTER + len(pieces) <= _LAST_CHARACTER, f"{len(pieces)} pieces"
    return stored | {"values": texts, "pieces": list(pieces)}


def table() -> dict[str, Any]:
    """Return the whole table as plain data."""
    effects = [View(partial(effect_text, switch=switch), (*FREE_OF_COST, switch.field)) for switch in SWITCHES]
    return {
        "combinations": COMBINATIONS,
        "firstCharacter": _FIRST_CHARACTER,
        "rungs": [designs().index(Design(rung.architecture)) for rung in RUNGS],
        "fields": list(_DEFAULTS),
        "defaults": {name: written(value) for name, value in _DEFAULTS.items()},
        "parts": [part for name in FIELDS for part in _parts(name)],
        "extra": [address(design) for design in designs()[COMBINATIONS:]],
        "numbers": packed(View(numbers)),
        "values": packed(View(values)),
        "views": {name: in_pieces(packed(view)) for name, view in VIEWS.items()},
        "effects": [packed(effect) for effect in effects],
    }


def _parts(name: str) -> list[tuple[int, str]]:
    """Return the bit of the switch of a field and what it adds to the address of a design; nothing without a switch."""
    return [
        (bit, address(Design(switch.step(RESNET50)))) for bit, switch in enumerate(SWITCHES) if switch.field == name
    ]


def script(name: str, data: bytes) -> str:
    """Return a script that leaves data, deflated, where the page finds it: a page from disk may run scripts but read no file."""
    text = base64.b64encode(zlib.compress(data, 7)).decode()
    return f'(window.packed ??= {{}})["{name}"] = "{text}";\n'


def table_script() -> str:
    """Return the table as a script."""
    return script("table", json.dumps(table(), separators=(",", ":"), ensure_ascii=False).encode())
