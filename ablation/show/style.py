"""Shared style of all figures: sizes for a page or a column of a paper, an accessible palette, and the format of axes.

The colours are seaborn's colour-blind safe palette. Whatever a colour encodes, a marker, a hatch or a label encodes too.
"""

from __future__ import annotations

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAGE_INCHES, COLUMN_INCHES = 7.0, 3.4
SMALL, TEXT = 6.5, 7.5  # font sizes in points, readable when the figure is shown at its intended width
PALETTE: list[tuple[float, float, float]] = sns.color_palette("colorblind")
BLUE, ORANGE, GREEN, RED = PALETTE[:4]
GREY = (0.72, 0.72, 0.72)
HATCH = "/////"
MARKERS = "osD^vP*Xhd<>"


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """Return an empty figure whose layout prevents labels from overlapping."""
    return Figure(figsize=(width_inches, height_inches), layout="constrained", dpi=200)


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
