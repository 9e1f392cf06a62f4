"""Figure of what each branch passes on: at full width, at less width, and with larger initial weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

from .choose import choose
from .style import BLUE, COLUMN_INCHES, GREY, ORANGE, PAGE_INCHES, SMALL, TEXT, headline, new_figure, quiet

FULL, NARROW, CARRIED = "full", "narrow", "carried"
# The full width lies below the others as a broad line, so that one that covers it is seen on it.
_LOOKS: dict[str, dict[str, Any]] = {
    FULL: {"color": GREY, "linewidth": 4, "solid_capstyle": "round"},
    NARROW: {"color": ORANGE, "linewidth": 0.9, "marker": "s", "markersize": 3},
    CARRIED: {"color": BLUE, "linewidth": 0.9, "marker": "^", "markersize": 3.4, "markerfacecolor": "white"},
}
_TICKS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10)
_MOST_PANELS = 4


def plot_signals(
    gains: Mapping[str, Mapping[str, Sequence[float]]], divisor: int, factor: float, figure: Figure | None = None
) -> Figure:
    """Plot the gain of each residual branch in forward order, one panel per network, on shared axes.

    Of more than four networks, four are drawn: the first, the last, and those where less width changes the gain most.

    Args:
        gains: title -> "full", "narrow" and "carried" -> output over input of each branch, as standard deviations.
        divisor: divisor of the width of "narrow" and "carried".
        factor: factor of the initial weights of "carried".
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    titles = list(gains)
    shown = [titles[i] for i in choose([math.log(relative(kinds, NARROW)) for kinds in gains.values()], _MOST_PANELS)]
    columns = len(shown)
    figure = figure or new_figure(PAGE_INCHES if columns > 1 else COLUMN_INCHES, 2.4 if columns > 1 else 2.9)
    panels = figure.subplots(1, columns, squeeze=False, sharex=True, sharey=True)[0]
    names = {
        FULL: "full width",
        NARROW: f"1/{divisor} of the width",
        CARRIED: f"1/{divisor} of the width, initial weights times {factor:.3g}",
    }
    for title, axes in zip(shown, panels, strict=True):
        kinds = gains[title]
        axes.axhline(1, color=GREY, linewidth=0.8, zorder=0)
        for kind, look in _LOOKS.items():
            values = kinds[kind]
            axes.plot(range(1, len(values) + 1), values, label=names[kind], **look)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(_TICKS))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        quiet(axes, "block, in order", title=title)
    panels[0].set_ylabel("std of the branch\nover that of its input", fontsize=TEXT)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=3 if columns > 1 else 1, fontsize=SMALL, frameon=False
    )
    return headline(figure, _finding(gains, divisor))


def relative(kinds: Mapping[str, Sequence[float]], kind: str) -> float:
    """Return the gain of a kind over that at full width: the geometric mean over the branches."""
    return float(np.exp(np.mean(np.log(kinds[kind]) - np.log(kinds[FULL]))))


def _finding(gains: Mapping[str, Mapping[str, Sequence[float]]], divisor: int) -> str:
    shares = {kind: [relative(kinds, kind) for kinds in gains.values()] for kind in (NARROW, CARRIED)}
    narrow, carried = (f"{min(found):.2f} to {max(found):.2f}" for found in shares.values())
    if len(gains) == 1:
        narrow, carried = (f"{found[0]:.2f}" for found in shares.values())
    return (
        f"At 1/{divisor} of the width a branch passes on {narrow} of what it does at full width; "
        f"with larger initial weights, {carried}"
    )
