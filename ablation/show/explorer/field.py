"""The theoretical receptive field, drawn on a photograph."""

from __future__ import annotations

import base64
import io
from functools import cache
from html import escape
from math import ceil, log2

from .state import Design
from .svg import colour, part, rect, svg

PHOTOGRAPH, PHOTOGRAPH_PX = "cat", 224
STAGE_STYLES = (
    ("blue", "3 3"),
    ("green", "8 4"),
    ("orange", "14 3 3 3"),
    ("red", ""),
)  # colour and dashes of each stage's square
_WIDTH, _HEIGHT = 720.0, 320.0
_FRAME, _LARGEST_PHOTOGRAPH = 1800, 320  # px of the image: width of the frame, and largest image that it is for


@cache
def photograph_symbol() -> str:
    """Return the photograph as an SVG symbol, which all drawings refer to, so that it is sent to the page only once."""
    from ...measure.images import photograph

    square = photograph(PHOTOGRAPH).pixels
    side = min(square.size)
    left, top = (square.width - side) // 2, (square.height - side) // 2
    square = square.crop((left, top, left + side, top + side)).resize((PHOTOGRAPH_PX, PHOTOGRAPH_PX)).quantize(128)
    data = io.BytesIO()
    square.save(data, "PNG", optimize=True)
    source = "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="0" height="0" aria-hidden="true" style="position:absolute"><defs>'
        '<symbol id="ax-photograph" viewBox="0 0 1 1"><image width="1" height="1" preserveAspectRatio="none" '
        f'href="{source}"/></symbol></defs></svg>'
    )


def field_text(design: Design) -> str:
    """Return a sentence that compares the receptive field of the last stage with the image size."""
    field = design.cost.receptive_field
    if field is None:
        return "A position of the last stage sees the whole image, since a layer does."
    if field > design.size:
        times = field / design.size
        return f"{field:,} px is larger than the image of {design.size:,} px: {times:.1f} times its side."
    return f"{field:,} px lies inside the image of {design.size:,} px: {100 * field / design.size:.0f} % of its side."


def field_svg(design: Design) -> str:
    """Return the photograph with a centred square for the receptive field of each stage, on a fixed scale.

    The photograph keeps its size whatever the network is, so that the field grows; wide fields leave the frame above and
    below before they leave it on the sides.
    """
    fields = [part.receptive_field for part in design.cost.stages[1:5]]
    size, across = design.size, frame_px(design.size)
    scale = _WIDTH / across
    side, middle, centre = size * scale, _WIDTH / 2, _HEIGHT / 2
    shapes = [rect(0, 0, _WIDTH, _HEIGHT, colour("grid"))]
    shapes.append(
        f'<use href="#ax-photograph" x="{middle - side / 2:.1f}" y="{centre - side / 2:.1f}" width="{side:.1f}" '
        f'height="{side:.1f}"/>'
    )
    for number, (field, (name, dashes)) in enumerate(zip(fields, STAGE_STYLES, strict=True), start=1):
        if field is not None:
            half = field * scale / 2
            square = "".join(
                rect(middle - half, centre - half, 2 * half, 2 * half,
                     more=f'stroke="{stroke}" stroke-width="{width}" {pattern}')
                for stroke, width, pattern in ((colour("paper"), 5, ""), (colour(name), 3, f'stroke-dasharray="{dashes}"'))
            )  # fmt: skip
            shapes.append(part(f"field-{number}", square))
    legend = "".join(
        f'<li data-part="field-text-{i}"><svg viewBox="0 0 44 8" width="44" height="8" aria-hidden="true">'
        f'<line x1="0" y1="4" x2="44" y2="4" stroke="{colour(name)}" stroke-width="4" stroke-dasharray="{dashes}"/></svg>'
        f"stage {i}: {_extent(field, across)}</li>"
        for i, (field, (name, dashes)) in enumerate(zip(fields, STAGE_STYLES, strict=True), start=1)
    )
    described = ", ".join("the whole image" if field is None else f"{field} px" for field in fields)
    label = f"Receptive fields of the four stages over a photograph of a cat {size} px wide: {described}. {field_text(design)}"
    frame = f"The frame is {across:,} px wide, the photograph {size:,} px."
    return (
        f'<div class="ax-field-view">{svg("".join(shapes), _WIDTH, _HEIGHT, label)}<ul class="ax-legend">{legend}</ul>'
        f'<p class="ax-note">{frame} {escape(field_text(design))}</p></div>'
    )


def frame_px(size: int) -> int:
    """Return the width of the frame in image pixels; it depends on the image only.

    >>> frame_px(224), frame_px(1024)
    (1800, 7200)
    """
    return _FRAME * 2 ** max(0, ceil(log2(size / _LARGEST_PHOTOGRAPH)))


def _extent(field: int | None, across: int) -> str:
    if field is None:
        return "the whole image"
    return f"{field:,} px" + (" (beyond the frame)" if field > across else "")
