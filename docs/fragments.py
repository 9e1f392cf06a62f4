"""What the page of the explorer shows of one design: its numbers, its drawings and texts, and its address.

The same functions run when the site is built, for all designs of the table, and in the browser under Pyodide, for a design
with a width, depth, kernel or image size of the reader's own. Pure Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from html import escape
from typing import Any

from ablation.design.architecture import RESNET50, Architecture
from ablation.errors import AblationError, check_number, unknown
from ablation.show.explorer import diagram, field, panels, pareto
from ablation.show.explorer.state import PUBLISHED_SIZE, SWITCHES, Design, Switch

# Each part of the page that depends on the design, by the name of its place in the page.
VIEWS: dict[str, Callable[[Design], str]] = {
    "network": diagram.network_svg,
    "block": diagram.block_svg,
    "field": lambda design: field.field_svg(design) + f'<p class="ax-note">{escape(field.field_text(design))}</p>',
    "pareto": pareto.pareto_svg,
    "table": panels.table_html,
    "story": panels.rung_html,
}

EFFECT: Callable[[Design, Switch], str] = lambda design, switch: ""  # noqa: E731
FIELDS = tuple(f.name for f in fields(Architecture))


def record(design: Design) -> dict[str, Any]:
    """Return all that the page shows of a design, as plain data."""
    return {
        "address": address(design),
        "numbers": numbers(design),
        "values": values(design),
        "on": [switch.is_on(design.architecture) for switch in SWITCHES],
        "views": {name: view(design) for name, view in VIEWS.items()},
    }


def numbers(design: Design) -> list[int]:
    """Return parameters, MACs and the receptive field of the last stage; a field of the whole image is 0."""
    return [design.cost.params, design.cost.macs, design.cost.receptive_field or 0]


def values(design: Design) -> dict[str, int]:
    """Return the values of the free controls."""
    a = design.architecture
    depths = {f"depth{i}": depth for i, depth in enumerate(a.depths)}
    return {"width": a.width, "kernel_size": a.kernel_size, "size": design.size, **depths}


def address(design: Design) -> str:
    """Return the fields that differ from ResNet-50 at 224 px, as they stand in the page's address.

    >>> address(Design(RESNET50.replace(depths=(3, 3, 9, 3), depthwise=True), 192))
    'depths=3,3,9,3&depthwise=yes&size=192'
    """
    parts = [f"{name}={_written(value)}" for name, (_, value) in RESNET50.diff(design.architecture).items()]
    return "&".join(parts + [f"size={design.size}"] * (design.size != PUBLISHED_SIZE))


def from_address(text: str) -> Design:
    """Return the design at an address; the inverse of `address`.

    Raises:
        AblationError: if a field or a value is not possible.
    """
    found: dict[str, Any] = {}
    for part in filter(None, text.split("&")):
        name, equals, value = part.partition("=")
        if name not in (*FIELDS, "size"):
            raise unknown("part of the address", name, (*FIELDS, "size"))
        if not equals:
            raise AblationError(f"part {part!r} of the address has no value, such as {name}=...")
        found[name] = _read(name, value)
    size = found.pop("size", PUBLISHED_SIZE)
    return _checked(Design(Architecture().replace(**found), size))


def change(design: Design, name: str, value: str) -> Design:
    """Return the design after one free control took a value, as text.

    Raises:
        AblationError: if the value is not possible.
    """
    number = _number(name.removeprefix("depth") if name.startswith("depth") else name, value)
    if name.startswith("depth"):
        depths = list(design.architecture.depths)
        depths[int(name.removeprefix("depth"))] = number
        return _checked(design.change(depths=tuple(depths)))
    return _checked(design.change(**{name: number}))


def answer(request: str) -> str:
    """Return what the page asks for, from JSON to JSON: the record of a design, or the reason why there is none.

    Args:
        request: the `address` of a design; with `flip`, the number of a switch to flip; with `control` and `value`, a free
            control and its text.
    """
    asked = json.loads(request)
    try:
        design = from_address(asked["address"])
        if "flip" in asked:
            design = design.flip(SWITCHES[asked["flip"]])
        if "control" in asked:
            design = change(design, asked["control"], asked["value"])
        return json.dumps(record(design))
    except AblationError as error:
        return json.dumps({"problem": str(error)})


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _read(name: str, text: str) -> Any:
    """Return the value of a field from its text; `Architecture` checks what it means."""
    if name == "depths":
        return tuple(_number("each of depths", part) for part in text.split(","))
    if name == "layer_scale":
        try:
            return None if text == "None" else float(text)
        except ValueError:
            raise AblationError(f"layer_scale {text!r} must be a number, such as 1e-6") from None
    default = PUBLISHED_SIZE if name == "size" else getattr(RESNET50, name)
    if isinstance(default, bool):
        if text not in ("yes", "no"):
            raise unknown(f"value of {name}", text, ("yes", "no"))
        return text == "yes"
    return _number(name, text) if isinstance(default, int) else text


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise AblationError(f"{name} {text!r} must be a whole number") from None


def _checked(design: Design) -> Design:
    """Return the design if the page can draw it."""
    a = design.architecture
    reason = ": beyond that the drawings say nothing"
    check_number("width", a.width, 1, 1024, whole=True, reason=reason)
    check_number("size", design.size, 1, 2048, whole=True, reason=reason)
    check_number("kernel_size", a.kernel_size, 1, 63, whole=True, reason=reason)
    for depth in a.depths:
        check_number("each of depths", depth, 1, 100, whole=True, reason=reason)
    return design
