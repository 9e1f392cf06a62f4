"""Blocks side by side: ResNet's bottleneck, that of a design, and Swin's."""

from __future__ import annotations

from html import escape

from ...design.architecture import RESNET50, Architecture
from .block_drawing import HEIGHT, SHORT, WIDTH, draw_block
from .branches import RESNET, SWIN, Unit, unit
from .notebook_drawing import Drawing
from .state import Design
from .svg import svg

NOTE = (
    "Thickness is the number of channels in stage 1, on one scale. Lines join the channels that a layer mixes: all with all, or, "
    "depthwise, each with itself. Green: norm; orange: activation; dashed: a place left empty."
)


def compared_svg(design: Design, title: str = "This design's block") -> str:
    """Return ResNet's bottleneck, this design's block and Swin's block side by side, on one scale."""
    here = (unit(design.architecture),)
    widest = max(widest_of(units) for units in (RESNET, here, SWIN))
    blocks = (("ResNet-50's block", RESNET), (title, here), ("Swin-T's block", SWIN))
    drawn = "".join(
        svg(draw_block(name, units, widest), WIDTH, SHORT if len(units) == 1 else HEIGHT, describe(name, units), 1.15)
        for name, units in blocks
    )
    return f'<div class="ax-blocks">{drawn}</div><p class="ax-note">{escape(NOTE)}</p>'


def side_by_side(architecture: Architecture = RESNET50, title: str = "This design's block") -> Drawing:
    """Return the three blocks as an output of a notebook cell.

    Args:
        architecture: the network whose block is drawn between ResNet's and Swin's.
        title: heading of that block.

    >>> side_by_side(RESNET50.replace(kernel_size=5), "Mine")
    ResNet-50's block: 1x1 from 256 to 64 channels, BN, ReLU, 3x3 from 64 to 64 channels, BN, ReLU, 1x1 from 64 to 256 ...
    """
    described = [("ResNet-50's block", RESNET), (title, (unit(architecture),)), ("Swin-T's block", SWIN)]
    description = "\n".join(describe(name, units) for name, units in described)
    # the note takes the free place next to the third block where the page has two columns
    drawn, note = compared_svg(Design(architecture), title).split("</div>")
    return Drawing(f"{drawn}{note}</div>", description)


def widest_of(units: tuple[Unit, ...]) -> int:
    """Return the largest number of channels in a block."""
    return max(layer.channels for one in units for layer in one.layers)


def describe(title: str, units: tuple[Unit, ...]) -> str:
    """Return a block in words, for screen readers and for plain text."""
    parts = []
    for one in units:
        names = [f"{x.name} from {x.before} to {x.channels} channels" if x.before else x.name for x in one.layers]
        parts.append(", ".join(names) + ", addition" + (f", {one.after.name}" if one.after else ""))
    return f"{title}: {'; then '.join(parts)}."
