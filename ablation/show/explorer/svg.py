"""SVG shapes as strings, in the colours of the figures: fast to draw, and testable without a browser.

Every colour is a CSS variable with the value for a light page as its fallback, so that a page with a dark mode can set all of
them (`DARK`) and a drawing without a style sheet is complete.
"""

from __future__ import annotations

from html import escape

# The colours of `style` as literals, so that neither seaborn nor matplotlib has to be imported here.
BLUE, ORANGE, GREEN, RED = "#0173b2", "#de8f05", "#029e73", "#d55e00"
GREY, INK = "#b8b8b8", "#222222"

LIGHT = {
    "paper": "#ffffff",
    "card": "#ffffff",
    "ink": INK,
    "soft": "#4a4f55",
    "line": "#c4c9ce",
    "grid": "#e8eaed",
    "blue": BLUE,
    "orange": ORANGE,
    "green": GREEN,
    "red": RED,
    "grey": "#8a9097",
    "pale": "#cfe3f2",
    "warm": "#fdf0e3",
    "on-blue": "#ffffff",
}
DARK = {
    "paper": "#14181d",
    "card": "#1c2228",
    "ink": "#e9ecef",
    "soft": "#b6bdc5",
    "line": "#47505a",
    "grid": "#2b323a",
    "blue": "#5cb3e8",
    "orange": "#f2b134",
    "green": "#3ecb9c",
    "red": "#ff8f4d",
    "grey": "#8b949e",
    "pale": "#1f4560",
    "warm": "#3a2a1c",
    "on-blue": "#0c1a24",
}


def colour(name: str) -> str:
    """Return the CSS variable of a colour, with the value for a light page as its fallback.

    >>> colour("blue")
    'var(--ax-blue, #0173b2)'
    """
    return f"var(--ax-{name}, {LIGHT[name]})"


def variables_css(colours: dict[str, str]) -> str:
    """Return the declarations that set every colour, for a rule of a style sheet.

    >>> variables_css({"ink": "#222222"})
    '--ax-ink: #222222;'
    """
    return " ".join(f"--ax-{name}: {value};" for name, value in colours.items())


def svg(body: str, width: float, height: float, label: str, scale: float = 1.25) -> str:
    """Return an SVG image that scales to the available width.

    Args:
        body: its shapes.
        width, height: size of the coordinate system.
        label: description for screen readers; "" for a part of a drawing that is described as a whole.
        scale: largest size on the page, in CSS pixels per unit.
    """
    role = f'role="img" aria-label="{escape(label)}"' if label else 'aria-hidden="true"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" {role} class="ax-svg" '
        f'style="max-width:{scale * width:g}px" font-family="system-ui, sans-serif" fill="{colour("ink")}">{body}</svg>'
    )


def part(name: str, body: str) -> str:
    """Return shapes as one part of a drawing: what `changes.mark` compares and highlights."""
    return f'<g data-part="{name}">{body}</g>'


def marked(x: float, y: float, width: float, height: float) -> str:
    """Return a frame that lies behind what a step has changed."""
    return rect(x, y, width, height, colour("warm"), f'rx="4" stroke="{colour("red")}" stroke-width="1.5"')


def rect(x: float, y: float, width: float, height: float, fill: str = "none", more: str = "") -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}" {more}/>'


def line(x1: float, y1: float, x2: float, y2: float, stroke: str = "", more: str = "") -> str:
    stroke = stroke or colour("ink")
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}" {more}/>'


def path(points: str, stroke: str = "", more: str = "", fill: str = "none") -> str:
    return f'<path d="{points}" fill="{fill}" stroke="{stroke or colour("ink")}" {more}/>'


def arrow(x1: float, y1: float, x2: float, y2: float, stroke: str = "") -> str:
    """Return a horizontal or vertical arrow; its head is drawn, since a marker needs an id that is unique on the page."""
    stroke = stroke or colour("ink")
    across, down = (x2 > x1) - (x2 < x1), (y2 > y1) - (y2 < y1)
    left = (x2 - 6 * across - 3.5 * down, y2 - 6 * down - 3.5 * across)
    right = (x2 - 6 * across + 3.5 * down, y2 - 6 * down + 3.5 * across)
    head = f"M{left[0]:.1f} {left[1]:.1f}L{x2:.1f} {y2:.1f}L{right[0]:.1f} {right[1]:.1f}Z"
    stem = line(x1, y1, x2 - 4 * across, y2 - 4 * down, stroke, 'stroke-width="1.5"')
    return stem + f'<path d="{head}" fill="{stroke}"/>'


def text(x: float, y: float, content: str, anchor: str = "middle", size: float = 12, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size:g}" {more}>{escape(content)}</text>'
