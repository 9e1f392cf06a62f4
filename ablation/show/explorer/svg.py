"""A few shapes of SVG as text, in the colours of the figures: there at once, and no browser is needed to test them."""

from __future__ import annotations

from html import escape

# seaborn's colour-blind safe palette and greys as `style` has them, spelled out: neither seaborn nor matplotlib is loaded here.
BLUE, ORANGE, GREEN, RED = "#0173b2", "#de8f05", "#029e73", "#d55e00"
GREY, INK = "#b8b8b8", "#222222"


def svg(body: str, width: float, height: float, label: str) -> str:
    """A picture that scales to the width it is given, with a description in words.

    Args:
        body: shapes.
        width, height: of the coordinates.
        label: what it shows, for those who do not see it.
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


def text(x: float, y: float, words: str, anchor: str = "middle", size: float = 12, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" {more}>{escape(words)}</text>'
