"""Figure of what each branch passes on: at full width, at less width, and with larger initial weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

from .style import BLUE, GREY, ORANGE, PAGE_INCHES, SMALL, TEXT, new_figure, quiet

FULL, NARROW, CARRIED = "full", "narrow", "carried"
_LOOKS = {FULL: ((0.45, 0.45, 0.45), "o"), NARROW: (ORANGE, "s"), CARRIED: (BLUE, "^")}
_TICKS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10)
_COLUMNS = 4


def plot_signals(
    gains: Mapping[str, Mapping[str, Sequence[float]]], divisor: int, factor: float, figure: Figure | None = None
) -> Figure:
    """Plot the gain of each residual branch in forward order, one panel per network, on shared axes.

    Args:
        gains: title -> "full", "narrow" and "carried" -> output over input of each branch, as standard deviations.
        divisor: divisor of the width of "narrow" and "carried".
        factor: factor of the initial weights of "carried".
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    columns = min(_COLUMNS, len(gains))
    rows = -(-len(gains) // columns)
    figure = figure or new_figure(PAGE_INCHES * max(columns, 2) / _COLUMNS, 1.35 * rows + (0.9 if columns > 2 else 1.7))
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in panels.flat[len(gains) :]:
        axes.set_axis_off()
    names = {
        FULL: "full width",
        NARROW: f"1/{divisor} of the width",
        CARRIED: f"1/{divisor} of the width, initial weights times {factor:.3g}",
    }
    for (title, kinds), axes in zip(gains.items(), panels.flat, strict=False):
        axes.axhline(1, color=GREY, linewidth=0.8, zorder=0)
        for kind, (colour, marker) in _LOOKS.items():
            values = kinds[kind]
            depth = range(1, len(values) + 1)
            axes.plot(depth, values, color=colour, marker=marker, ms=2.6, lw=0.8, label=names[kind])
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(_TICKS))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        quiet(axes)
        axes.set_title(title, fontsize=SMALL, pad=2)
    for axes in panels[-1]:
        axes.set_xlabel("block, in order", fontsize=SMALL)
    figure.suptitle(_finding(gains, divisor), fontsize=TEXT, x=0.01, ha="left")
    if rows == 1:  # a label over the whole figure would be taller than it
        panels[0, 0].set_ylabel("std of the branch\nover that of its input", fontsize=SMALL)
    else:
        figure.supylabel("std of the branch over that of its input", fontsize=TEXT)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3 if columns > 2 else 1, fontsize=SMALL, frameon=False
    )
    return figure


def relative(kinds: Mapping[str, Sequence[float]], kind: str) -> float:
    """Return the gain of a kind over that at full width: the geometric mean over the branches."""
    return float(np.exp(np.mean(np.log(kinds[kind]) - np.log(kinds[FULL]))))


def _finding(gains: Mapping[str, Mapping[str, Sequence[float]]], divisor: int) -> str:
    shares = {kind: [relative(kinds, kind) for kinds in gains.values()] for kind in (NARROW, CARRIED)}
    narrow, carried = (f"{min(found):.2f} to {max(found):.2f}" for found in shares.values())
    if len(gains) == 1:
        narrow, carried = (f"{found[0]:.2f}" for found in shares.values())
    return (
        f"At 1/{divisor} of the width a branch passes on {narrow} of what it does\n"
        f"at full width; with larger initial weights, {carried}"
    )
