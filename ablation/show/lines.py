"""Numbers over a setting as lines, one for each name, with their intervals where they have one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

from .style import COLUMN_INCHES, MARKERS, PALETTE, SMALL, new_figure, quiet

_APART = 0.02  # of the axis: how far the lines are moved apart so that their intervals can be told apart


def plot_lines(
    lines: Mapping[str, pd.DataFrame],
    x: str,
    y: str,
    title: str = "",
    x_base: int | None = None,
    y_base: int | None = None,
    beside: bool = False,
    axes: Axes | None = None,
) -> Axes:
    """Draw a line for each name: the means over a setting, with bars for the halves of their intervals.

    Args:
        lines: name -> a table indexed by the setting, with a column "mean" and, where there are intervals, "half", as
            `ablation.course.summarise` gives.
        x, y: labels with units.
        title: of the axes.
        x_base, y_base: of a logarithmic axis; None for a linear one. The settings are the ticks of a logarithmic x axis.
        beside: put the legend to the right of the axes, for lines that leave it no room.
        axes: to draw into; new ones by default.

    Returns:
        The axes.
    """
    axes = axes or new_figure(COLUMN_INCHES, 2.4).subplots()
    settings = sorted({float(value) for table in lines.values() for value in table.index})
    room = (math.log(settings[-1] / settings[0]) if x_base else settings[-1] - settings[0]) * _APART
    barred = [name for name, table in lines.items() if "half" in table and table["half"].notna().any()]
    for i, (name, table) in enumerate(lines.items()):
        has_bars = name in barred
        shift = room * (barred.index(name) - (len(barred) - 1) / 2) if has_bars else 0.0
        at = [value * math.exp(shift) if x_base else value + shift for value in table.index.astype(float)]
        look: dict[str, Any] = {"color": PALETTE[i], "marker": MARKERS[i % len(MARKERS)], "label": name}
        half = table["half"].fillna(0.0) if has_bars else None
        axes.errorbar(at, table["mean"], yerr=half, markersize=3, linewidth=1, elinewidth=0.8, capsize=1.5, **look)
    if x_base:
        axes.set_xscale("log", base=x_base)
        axes.xaxis.set_major_locator(FixedLocator(settings))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
    elif all(value == int(value) for value in settings):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if y_base:
        axes.set_yscale("log", base=y_base)
    where: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if beside else {}
    axes.legend(fontsize=SMALL, frameon=False, **where)
    return quiet(axes, x, y, title)
