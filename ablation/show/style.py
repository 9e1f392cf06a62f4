"""What all figures share: sizes for a page or a column of a paper, colours that everyone can tell apart, quiet axes.

Colours are from seaborn's colour-blind safe palette; what a colour says, a marker, a hatch or a label says too.
"""

from __future__ import annotations

import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

PAGE_INCHES, COLUMN_INCHES = 7.0, 3.4
SMALL, TEXT = 6.5, 7.5  # font sizes in points, readable at the width that the figure is made for
PALETTE: list[tuple[float, float, float]] = sns.color_palette("colorblind")
BLUE, ORANGE, GREEN, RED = PALETTE[:4]
GREY = (0.72, 0.72, 0.72)
HATCH = "/////"
MARKERS = "osD^vP*Xhd<>"


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """An empty figure that keeps its labels apart."""
    return Figure(figsize=(width_inches, height_inches), layout="constrained", dpi=200)


def quiet(axes: Axes, x: str = "", y: str = "", title: str = "") -> Axes:
    """Labels in our sizes, no frame."""
    axes.set_xlabel(x, fontsize=TEXT)
    axes.set_ylabel(y, fontsize=TEXT)
    axes.set_title(title, fontsize=TEXT, loc="left")
    axes.tick_params(labelsize=SMALL)
    sns.despine(ax=axes)
    return axes


def bare(axes: Axes, title: str = "") -> Axes:
    """An axes for a picture: no ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=SMALL)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes
