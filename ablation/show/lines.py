"""Line plots of a quantity against a setting, with intervals where available."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

from .style import COLUMN_INCHES, MARKERS, PALETTE, SMALL, new_figure, quiet

_OFFSET = 0.02  # of the axis: horizontal distance between lines, so that their error bars do not overlap


def plot_lines(
    lines: Mapping[str, pd.DataFrame],
    x: str,
    y: str,
    title: str = "",
    x_base: int | None = None,
    y_base: int | None = None,
    legend_outside: bool = False,
    axes: Axes | None = None,
) -> Axes:
    """Plot one line per name: the means against a setting, with error bars of half an interval.

    Args:
        lines: name -> a table indexed by the setting, with a column "mean" and, if there are intervals, "half", as
            returned by `ablation.course.summarise`.
        x, y: axis labels with units.
        title: title of the axes.
        x_base, y_base: base of a logarithmic axis; None for a linear axis. The ticks of a logarithmic x axis are the settings.
        legend_outside: place the legend to the right of the axes, for lines that leave no room for it.
        axes: axes to draw into; new axes by default.

    Returns:
        The axes.
    """
    axes = axes or new_figure(COLUMN_INCHES, 2.4).subplots()
    settings = sorted({float(value) for table in lines.values() for value in table.index})
    offset = (math.log(settings[-1] / settings[0]) if x_base else settings[-1] - settings[0]) * _OFFSET
    barred = [name for name, table in lines.items() if "half" in table and table["half"].notna().any()]
    for i, (name, table) in enumerate(lines.items()):
        has_bars = name in barred
        shift = offset * (barred.index(name) - (len(barred) - 1) / 2) if has_bars else 0.0
        positions = [value * math.exp(shift) if x_base else value + shift for value in table.index.astype(float)]
        style: dict[str, Any] = {"color": PALETTE[i], "marker": MARKERS[i % len(MARKERS)], "label": name}
        half = table["half"].fillna(0.0) if has_bars else None
        axes.errorbar(
            positions, table["mean"], yerr=half, markersize=3, linewidth=1, elinewidth=0.8, capsize=1.5, **style
        )
    if x_base:
        axes.set_xscale("log", base=x_base)
        axes.xaxis.set_major_locator(FixedLocator(settings))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
    elif all(value == int(value) for value in settings):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if y_base:
        axes.set_yscale("log", base=y_base)
    placement: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)} if legend_outside else {}
    axes.legend(fontsize=SMALL, frameon=False, **placement)
    return quiet(axes, x, y, title)
