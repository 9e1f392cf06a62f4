"""Figures of stems: which pixels each output position sees, and how many positions each pixel reaches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from .style import BLUE, HATCH, ORANGE, PAGE_INCHES, SMALL, TEXT, new_figure, strip_axes

_NEITHER, _BOTH = (0.94, 0.94, 0.94), (0.25, 0.25, 0.25)


def plot_stems(
    neighbours: Mapping[str, NDArray[np.bool_]], counts: Mapping[str, NDArray[np.int64]], figure: Figure | None = None
) -> Figure:
    """Plot one row per stem: the pixels of two neighbouring positions, and the number of positions each pixel reaches.

    Args:
        neighbours: title -> (2, H, W), whether a pixel reaches each of the two positions.
        counts: title -> (H, W), number of positions that each pixel reaches.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(0.75 * PAGE_INCHES, 2.0 * len(neighbours) + 0.4)
    panels = figure.subplots(len(neighbours), 2, squeeze=False)
    highest = max(int(count.max()) for count in counts.values())
    colours = ListedColormap([_NEITHER, BLUE, ORANGE, _BOTH])
    for (title, (one, other)), (left, right) in zip(neighbours.items(), panels, strict=True):
        left.pcolormesh(one + 2 * other, cmap=colours, vmin=0, vmax=3, edgecolor="white", linewidth=0.2)
        both = np.ma.masked_equal(one & other, False)
        left.pcolor(both, cmap=ListedColormap([_BOTH]), hatch=HATCH, edgecolor="white", linewidth=0)
        shown = right.pcolormesh(counts[title], cmap="cividis", vmin=0, vmax=highest)
        strip_axes(left).set_title(title, fontsize=TEXT, loc="left")
        strip_axes(right)
        for axes in (left, right):
            axes.set_aspect("equal")
            axes.invert_yaxis()
        left.set_xlabel(f"{int(one.sum())} pixels a position, {int((one & other).sum())} shared", fontsize=SMALL)
        right.set_xlabel(f"each pixel reaches {_range_text(counts[title])}", fontsize=SMALL)
        bar = figure.colorbar(shown, ax=right, shrink=0.8)
        bar.ax.tick_params(labelsize=SMALL)
        bar.set_label("positions reached", fontsize=SMALL)
    names = {"one position": BLUE, "its right neighbour": ORANGE, "both": _BOTH}
    handles = [Patch(facecolor=colour, label=name) for name, colour in names.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False)
    return figure


def _range_text(count: NDArray[np.int64]) -> str:
    low, high = int(count.min()), int(count.max())
    return f"{low} to {high} positions" if high > low else f"{low} position{'s' if low > 1 else ''}"
