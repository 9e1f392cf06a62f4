"""Shared style of all figures: sizes for a page or a column of a paper, an accessible palette, headlines, and the format of axes.

The colours are seaborn's colour-blind safe palette. Whatever a colour encodes, a marker, a hatch or a label encodes too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path

PAGE_INCHES, COLUMN_INCHES = 7.0, 3.4
SMALL, TEXT, TITLE = 7.0, 8.0, 9.5  # font sizes in points at print size; 7 points are 11 px on a page 800 px wide
PALETTE: list[tuple[float, float, float]] = sns.color_palette("colorblind")
BLUE, ORANGE, GREEN, RED = PALETTE[:4]
GREY = (0.72, 0.72, 0.72)  # of lines to compare with
QUIET = (0.4, 0.4, 0.4)  # of words that come second; 5.7:1 on white
HATCH = "/////"
MARKERS = "osD^vP*Xhd<>"
HEAT = "cividis"  # colours of numbers without a sign
NOTE = "note"  # marks the line below a headline

_EDGE_INCHES = 0.06  # between a headline and the edge of its figure
_POINTS = 72  # in an inch
_LINE = 1.25  # of the font size, from one line to the next


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """Return an empty figure whose layout prevents labels from overlapping."""
    return Figure(figsize=(width_inches, height_inches), layout="constrained", dpi=200)


def headline(figure: Figure, finding: str, note: str = "") -> Figure:
    """Write what a figure shows above it: the finding in bold, and below it what was measured; the figure grows by that.

    Args:
        figure: the figure; drawn with a constrained layout, or with margins that may be adjusted.
        finding: a sentence computed from the numbers that the figure shows.
        note: what they are and what they were measured on.

    Returns:
        The figure.
    """
    width, before = figure.get_size_inches()
    title = _balance(finding, width - 2 * _EDGE_INCHES)
    below = wrap(note, width - 2 * _EDGE_INCHES, SMALL) if note else ""
    title_inches, note_inches = (
        _LINE * size / _POINTS * (text.count("\n") + 1) if text else 0.0
        for text, size in ((title, TITLE), (below, SMALL))
    )
    room = _EDGE_INCHES + title_inches + note_inches + _EDGE_INCHES
    height = before + room
    figure.set_size_inches(width, height)
    top, left = 1 - _EDGE_INCHES / height, _EDGE_INCHES / width
    look: dict[str, Any] = {"ha": "left", "va": "top", "linespacing": _LINE / 1.2}
    figure.suptitle(title, x=left, y=top, fontsize=TITLE, fontweight="bold", **look)
    if below:
        figure.text(left, top - title_inches / height, below, fontsize=SMALL, color=QUIET, gid=NOTE, **look)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        x, y, across, up = engine.get()["rect"]
        engine.set(rect=(x, y * before / height, across, up * before / height))
    elif engine is None:
        figure.subplots_adjust(top=figure.subplotpars.top * before / height)
    return figure


def wrap(text: str, width_inches: float, size: float, weight: str = "normal") -> str:
    """Break text into lines that fit a width; lines that are there stay.

    Args:
        text: the text.
        width_inches: width that no line exceeds, unless a single word does.
        size: font size in points.
        weight: "normal" or "bold".
    """
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and text_inches(longer, size, weight) > width_inches:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return "\n".join(lines)


def _balance(text: str, width_inches: float) -> str:
    """Break a title into as few lines as fit, about equally long."""
    best = wrap(text, width_inches, TITLE, "bold")
    for tenths in range(9, 4, -1):
        narrower = wrap(text, width_inches * tenths / 10, TITLE, "bold")
        if narrower.count("\n") == best.count("\n"):
            best = narrower
    return best


@cache
def text_inches(text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a line of text when it is drawn."""
    font = FontProperties(size=size, weight=weight)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0]) / _POINTS


def quiet(axes: Axes, x: str = "", y: str = "", title: str = "") -> Axes:
    """Set axis labels and title in the shared font sizes, and remove the top and right spines."""
    axes.set_xlabel(x, fontsize=TEXT)
    axes.set_ylabel(y, fontsize=TEXT)
    axes.set_title(title, fontsize=TEXT, loc="left")
    axes.tick_params(labelsize=SMALL)
    sns.despine(ax=axes)
    return axes


def strip_axes(axes: Axes, title: str = "") -> Axes:
    """Remove ticks and frame from axes that show an image, and set a title."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=SMALL)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def colour_bar(figure: Figure, colours: object, axes: object, label: str, **places: float | str) -> Axes:
    """Draw a colour bar without a frame, with its label, beside axes.

    Args:
        figure: the figure of the axes.
        colours: a `matplotlib.cm.ScalarMappable`, or an image.
        axes: the axes that it describes.
        label: what the colours mean, with the unit.
        places: further arguments of `Figure.colorbar`, such as shrink and location.

    Returns:
        The axes of the bar.
    """
    bar = figure.colorbar(colours, ax=axes, **places)  # type: ignore[arg-type]
    bar.set_label(label, fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    bar.outline.set_visible(False)
    return bar.ax
