"""Blocks side by side: ResNet's bottleneck, that of a design, and Swin's."""

from __future__ import annotations

from html import escape

from ...design.architecture import RESNET50, Architecture
from .block_drawing import HEIGHT, SHORT, WIDTH, draw_block
from .branches import RESNET, SWIN, Unit, unit
from .state import Design
from .svg import Drawing, svg

_NOTE = (
    "Thickness is the number of channels in stage 1, on one scale. Lines join the channels that a layer mixes: all with all, or, "
    "depthwise, each with itself. Green: norm; orange: activation; dashed: a place left empty."
)


def compared_svg(design: Design) -> str:
    """Return ResNet's bottleneck, this design's block and Swin's block side by side, on one scale."""
    here = (unit(design.architecture),)
    widest = max(_widest(units) for units in (RESNET, here, SWIN))
    blocks = (("ResNet-50's block", RESNET), ("This design's block", here), ("Swin-T's block", SWIN))
    drawn = "".join(
        svg(
            draw_block(title, units, widest), WIDTH, SHORT if len(units) == 1 else HEIGHT, _describe(title, units), 1.15
        )
        for title, units in blocks
    )
    return f'<div class="ax-blocks">{drawn}</div><p class="ax-note">{escape(_NOTE)}</p>'


def side_by_side(architecture: Architecture = RESNET50) -> Drawing:
    """Return the three blocks as an output of a notebook cell.

    Args:
        architecture: the network whose block stands between ResNet's and Swin's.
    """
    return Drawing(compared_svg(Design(architecture)))


def _widest(units: tuple[Unit, ...]) -> int:
    return max(layer.channels for one in units for layer in one.layers)


def _describe(title: str, units: tuple[Unit, ...]) -> str:
    parts = []
    for one in units:
        names = [f"{x.name} from {x.before} to {x.channels} channels" if x.before else x.name for x in one.layers]
        parts.append(", ".join(names) + ", addition" + (f", {one.after.name}" if one.after else ""))
    return f"{title}: {'; then '.join(parts)}."
