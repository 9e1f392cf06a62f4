"""Figure of power: how many of the studies with so many seeds find a difference."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from .style import BLUE, COLUMN_INCHES, GREY, ORANGE, SMALL, TEXT, quiet


def plot_power(seeds: Sequence[int], found: Sequence[float], marked: int) -> Figure:
    """Draw the share of studies that find a difference against the number of seeds, with one number of seeds marked.

    Args:
        seeds: numbers of seeds per network.
        found: percentage of the studies with that many seeds that find the difference.
        marked: the number of seeds to mark.
    """
    figure = Figure(figsize=(2 * COLUMN_INCHES, 2.3))
    axes = figure.subplots()
    axes.axhline(80, color=GREY, linewidth=0.8)
    axes.annotate("80 %", (seeds[-1], 80), (-2, 2), textcoords="offset points", fontsize=SMALL, ha="right")
    axes.plot(seeds, found, color=BLUE, linewidth=1.4, marker="o", markersize=2.5)
    here = found[list(seeds).index(marked)]
    axes.scatter([marked], [here], s=40, color=ORANGE, zorder=3)
    axes.set_ylim(0, 103)
    quiet(axes, "seeds per network", "studies that find it (%)")
    axes.xaxis.label.set_fontsize(TEXT)
    figure.subplots_adjust(left=0.09, right=0.99, bottom=0.21, top=0.97)
    return figure
