"""Arrows from a quantity before to the same quantity after, one for each network and a panel for each kind."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from .style import BLUE, ORANGE, PAGE_INCHES, SMALL, new_figure, quiet


def plot_before_after(panels: Mapping[str, pd.DataFrame], x: str) -> Figure:
    """Return a figure with a panel per name: an open circle before, a filled one after, and an arrow between them.

    Each title counts the networks in which the quantity is smaller after.

    Args:
        panels: title -> a table indexed by the network, with columns "before" and "after"; all with the same index.
        x: label of the horizontal axis, with its unit.
    """
    networks = list(next(iter(panels.values())).index)
    figure = new_figure(PAGE_INCHES, 0.9 + 0.27 * len(networks))
    for axes, (title, table) in zip(figure.subplots(1, len(panels), sharey=True), panels.items(), strict=True):
        fewer = int((table["after"] < table["before"]).sum())
        quiet(axes, x=x, title=f"{title}: smaller in {fewer} of {len(table)}")
        for y, (before, after) in enumerate(zip(table["before"], table["after"], strict=True)):
            if before != after:
                arrow = {"arrowstyle": "->", "color": "black", "linewidth": 0.8, "shrinkA": 3, "shrinkB": 3}
                axes.annotate("", (after, y), (before, y), arrowprops=arrow)
        rows = range(len(table))
        axes.plot(table["before"], rows, "o", markerfacecolor="white", color=BLUE, markersize=5, label="before")
        axes.plot(table["after"], rows, "s", color=ORANGE, markersize=4, label="after")
        axes.set_yticks(rows, networks)
        axes.set_ylim(len(table) - 0.5, -0.5)
        axes.set_xlim(left=0)
    figure.axes[0].legend(fontsize=SMALL, frameon=False, loc="best")
    return figure
