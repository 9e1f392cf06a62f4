"""The theoretical receptive field, drawn on a photograph."""

from __future__ import annotations

import base64
import io
from functools import cache

from .state import Design
from .svg import BLUE, GREEN, INK, ORANGE, RED, rect, svg, text

PHOTOGRAPH, PHOTOGRAPH_PX = "cat", 224
STAGE_STYLES = (
    (BLUE, "2 3"),
    (GREEN, "7 3"),
    (ORANGE, "12 3 2 3"),
    (RED, ""),
)  # colour and dashes of each stage's square
_SIDE = 300.0
_MAX_IMAGES = 12  # largest field that is drawn, relative to the image's side


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
    """Return the photograph with a centred square for the receptive field of each stage, drawn to scale."""
    fields = [part.receptive_field for part in design.cost.stages[1:5]]
    size = design.size
    widest = max([size, *(field for field in fields if field is not None and field <= _MAX_IMAGES * size)])
    scale, middle = (_SIDE - 8) / (1.02 * widest), _SIDE / 2
    shapes = [rect(0, 0, _SIDE, _SIDE, "#f2f2f2")]
    side = size * scale
    corner = middle - side / 2
    shapes.append(
        f'<use href="#ax-photograph" x="{corner:.1f}" y="{corner:.1f}" width="{side:.1f}" height="{side:.1f}"/>'
    )
    shapes.append(rect(corner, corner, side, side, more=f'stroke="{INK}"'))
    for field, (colour, dashes) in zip(fields, STAGE_STYLES, strict=True):
        if field is not None and field <= widest:
            half = field * scale / 2
            for stroke, width in (("#ffffff", 4.5), (colour, 2.5)):
                shapes.append(
                    rect(middle - half, middle - half, 2 * half, 2 * half,
                         more=f'stroke="{stroke}" stroke-width="{width}" stroke-dasharray="{dashes}"')
                )  # fmt: skip
    for i, (field, (colour, dashes)) in enumerate(zip(fields, STAGE_STYLES, strict=True)):
        y = _SIDE + 22 + 20 * i
        shapes.append(
            f'<line x1="4" y1="{y - 4:.0f}" x2="52" y2="{y - 4:.0f}" stroke="{colour}" stroke-width="3" '
            f'stroke-dasharray="{dashes}"/>'
        )
        beyond = "" if field is None or field <= widest else " (not drawn)"
        extent = "the whole image" if field is None else f"{field:,} px{beyond}"
        shapes.append(text(62, y, f"stage {i + 1}: {extent}", "start", 12))
    described = ", ".join("the whole image" if field is None else f"{field} px" for field in fields)
    label = f"Receptive fields of the four stages over a photograph of a cat {size} px wide: {described}. {field_text(design)}"
    return svg("".join(shapes), _SIDE, _SIDE + 90, label)
