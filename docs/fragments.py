"""What the page of the explorer shows of one design: its numbers, its drawings and texts, and its address.

The same functions run when the site is built, for all designs of the table, and in the browser under Pyodide, for a design
with a width, depth, kernel or image size of the reader's own. Pure Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields
from html import escape
from typing import Any

from ablation.design.architecture import RESNET50, Architecture
from ablation.errors import AblationError, unknown
from ablation.show.explorer import cards, compared, diagram, field, panels, pareto, road, story
from ablation.show.explorer.copy import command_text, python_text
from ablation.show.explorer.state import (
    MAX_BLOCKS,
    MAX_KERNEL,
    MAX_SIZE,
    MAX_WIDTH,
    PUBLISHED_SIZE,
    SWITCHES,
    Design,
)
from ablation.show.explorer.switches import effect_text

FREE_OF_COST = ("activation", "activations")  # they change neither parameters nor multiply-accumulates
_INSIDE_A_BLOCK = ("depthwise", "spatial_first", "norm", "norms", *FREE_OF_COST)


@dataclass(frozen=True)
class View:
    """A part of the page that depends on the design.

    Args:
        draw: returns its content.
        ignores: fields of the network on which it does not depend.
        key: designs of equal keys have equal content.
    """

    draw: Callable[[Design], Any]
    ignores: tuple[str, ...] = ()
    key: Callable[[Design], Hashable] = lambda design: design


VIEWS = {  # by the name of its place in the page
    "cards": View(cards.cards_html, key=lambda design: (design.rung, design.cost.macs, numbers(design))),
    "road": View(road.road_html, key=lambda design: (design.rung, design.nearest)),
    "story": View(story.story_html),
    "network": View(diagram.network_svg, FREE_OF_COST),
    "blocks": View(compared.compared_svg, ("depths", "stem", "downsampling")),
    "field": View(field.field_svg, (*_INSIDE_A_BLOCK, "width", "block")),
    "pareto": View(pareto.pareto_svg, key=lambda design: (design.rung, design.cost.macs)),
    "table": View(panels.table_html, FREE_OF_COST),
    "python": View(lambda design: escape(python_text(design))),
    "command": View(lambda design: escape(command_text(design))),
}
# The free controls: label, least and largest value, and the step between two values.
CONTROLS = {
    "width": ("width of stage 1", 1, MAX_WIDTH, 1),
    "kernel_size": ("kernel size, odd", 1, MAX_KERNEL, 2),
    "size": ("image, px", 1, MAX_SIZE, 1),
    **{f"depth{i}": (f"blocks in stage {i + 1}", 1, MAX_BLOCKS, 1) for i in range(4)},
}
FIELDS = tuple(f.name for f in fields(Architecture))


def record(design: Design) -> dict[str, Any]:
    """Return all that the page shows of a design, as plain data."""
    return {
        "address": address(design),
        "numbers": numbers(design),
        "values": values(design),
        "on": [switch.is_on(design.architecture) for switch in SWITCHES],
        "effects": [effect_text(design, switch) for switch in SWITCHES],
        "views": {name: view.draw(design) for name, view in VIEWS.items()},
    }


def numbers(design: Design) -> tuple[int, int, int, float | None]:
    """Return parameters, MACs, the receptive field of the last stage (0: the whole image) and the paper's accuracy."""
    rung = design.rung
    accuracy = rung.published.accuracy if rung is not None and rung.published is not None else None
    return design.cost.params, design.cost.macs, design.cost.receptive_field or 0, accuracy


def values(design: Design) -> tuple[int, ...]:
    """Return the values of the free controls, in the order of `CONTROLS`."""
    a = design.architecture
    return (a.width, a.kernel_size, design.size, *a.depths)


def address(design: Design) -> str:
    """Return the fields that differ from ResNet-50 at 224 px, as they stand in the page's address.

    >>> address(Design(RESNET50.replace(depths=(3, 3, 9, 3), depthwise=True), 192))
    'depths=3,3,9,3&depthwise=yes&size=192'
    """
    parts = [f"{name}={written(value)}" for name, (_, value) in RESNET50.diff(design.architecture).items()]
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
    return Design(Architecture().replace(**found), size)


def answer(text: str) -> str:
    """Return, as JSON, the record of the design at an address, or the reason why there is none as its `problem`."""
    try:
        return json.dumps(record(from_address(text)))
    except AblationError as error:
        return json.dumps({"problem": str(error)})


def written(value: object) -> str:
    """Return a value as it stands in the address."""
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
