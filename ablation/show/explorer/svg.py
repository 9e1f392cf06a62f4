"""SVG shapes as strings, in the colours of the figures: fast to draw, and testable without a browser."""

from __future__ import annotations

from html import escape

# The colours of `style` as literals, so that neither seaborn nor matplotlib has to be imported here.
BLUE, ORANGE, GREEN, RED = "#0173b2", "#de8f05", "#029e73", "#d55e00"
GREY, INK = "#b8b8b8", "#222222"


def svg(body: str, width: float, height: float, label: str) -> str:
    """Return an SVG image that scales to the available width.

    Args:
        body: its shapes.
        width, height: size of the coordinate system.
        label: description for screen readers.
    """
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img" '
        f'aria-label="{escape(label)}" class="ax-svg" style="max-width:{1.25 * width:g}px">{body}</svg>'
    )


def rect(x: float, y: float, width: float, height: float, fill: str = "none", more: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" {more}/>'


def line(x1: float, y1: float, x2: float, y2: float, stroke: str = INK, more: str = "") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" {more}/>'


def path(points: str, stroke: str = INK, more: str = "") -> str:
    return f'<path d="{points}" fill="none" stroke="{stroke}" {more}/>'


def text(x: float, y: float, content: str, anchor: str = "middle", size: float = 12, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" {more}>{escape(content)}</text>'
