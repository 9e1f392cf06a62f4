"""Figures of learning-rate schedules, each relative to its highest rate, so that recipes of any size can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from .style import COLUMN_INCHES, PALETTE, SMALL, new_figure, quiet

_DASHES = ("-", "--", "-.", ":")


def plot_schedules(rates: Mapping[str, Sequence[float]], title: str = "", axes: Axes | None = None) -> Axes:
    """Plot the learning rate relative to its highest value, against the share of the run.

    Args:
        rates: name -> the learning rate of each optimizer step of a run.
        title: title of the axes.
        axes: axes to draw into; new axes by default.

    Returns:
        The axes.
    """
    axes = axes or new_figure(COLUMN_INCHES, 2.3).subplots()
    for i, (name, values) in enumerate(rates.items()):
        top = max(values)
        progress = [100 * step / len(values) for step in range(len(values))]
        style: dict[str, Any] = {"color": PALETTE[i], "linestyle": _DASHES[i % len(_DASHES)], "linewidth": 1.2}
        axes.plot(progress, [100 * value / top for value in values], label=name, **style)
    axes.set_ylim(-5, 125)  # room for the legend above the curves
    axes.legend(fontsize=SMALL, frameon=False, loc="upper right", ncols=len(rates))
    return quiet(axes, "share of the run (%)", "learning rate\n(% of its highest)", title)
