"""How far layers reach: the side of the field by stage, and the positions that a window or a kernel sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter
from numpy.typing import NDArray

from ..errors import AblationError
from .style import MARKERS, ORANGE, PAGE_INCHES, PALETTE, SMALL, TEXT, bare, new_figure, quiet

_SIDES = (10, 30, 100, 300, 1000)  # pixels, ticks of a logarithmic axis


def plot_sides(panels: Mapping[str, pd.DataFrame], figure: Figure | None = None) -> Figure:
    """The side of a field after each stage, a panel for each way to see it and a line for each network, all on one scale.

    Args:
        panels: title -> one row a network and stage: network, stage, side_px, and with several rows each their mean is drawn.
        figure: to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.9)
    every = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    names = list(dict.fromkeys(name for table in panels.values() for name in table["network"]))
    for axes, (title, table) in zip(every, panels.items(), strict=True):
        for i, name in enumerate(names):
            rows = table[table["network"] == name]
            if not len(rows):
                continue
            means = rows.groupby("stage")["side_px"].mean()
            look = {"color": PALETTE[i], "marker": MARKERS[i % len(MARKERS)], "markersize": 3.5, "linewidth": 1.2}
            axes.plot(means.index, means, label=name, **look)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(_SIDES))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(FixedLocator(sorted(table["stage"].unique())))
        quiet(axes, "stage", title=title)
    every[0].set_ylabel("side of the field (px)", fontsize=TEXT)
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(names)), fontsize=SMALL, frameon=False)
    return figure


def plot_windows(
    maps: Mapping[str, Sequence[NDArray[np.float64]]],
    positions: Sequence[tuple[int, int]],
    window: int,
    figure: Figure | None = None,
) -> Figure:
    """What each position sees: a row for each layer, a column for each position, with the windows' borders drawn in.

    Args:
        maps: name of the layer -> how much each input position weighs, (H, W), for each of the positions.
        positions: row and column of each, marked with a cross.
        window: side of a window, in positions.
        figure: to draw into; a new one by default.

    Returns:
        The figure.

    Raises:
        AblationError: if a layer has not one map for each position.
    """
    for name, given in maps.items():
        if len(given) != len(positions):
            raise AblationError(f"{name!r} has {len(given)} maps for {len(positions)} positions: one each is expected")
    figure = figure or new_figure(1.2 + 1.25 * len(positions), 1.35 * len(maps) + 0.35)
    panels = figure.subplots(len(maps), len(positions), squeeze=False)
    for i, (row, (name, given)) in enumerate(zip(panels, maps.items(), strict=True)):
        top = max(float(weighs.max()) for weighs in given)
        for axes, weighs, (down, right) in zip(row, given, positions, strict=True):
            axes.imshow(weighs, cmap="cividis", norm=PowerNorm(0.5, 0, top), interpolation="none")
            for border in range(window, max(weighs.shape), window):
                axes.axhline(border - 0.5, color="white", linewidth=0.6)
                axes.axvline(border - 0.5, color="white", linewidth=0.6)
            axes.plot(right, down, marker="x", color=ORANGE, markersize=5, markeredgewidth=1.4)
            bare(axes, f"row {down}, column {right}" if i == 0 else "")
        row[0].set_ylabel(name, fontsize=TEXT, rotation=0, ha="right", va="center", labelpad=4)
    return figure


def plot_profiles(maps: Mapping[str, NDArray[np.float64]], figure: Figure | None = None) -> Figure:
    """How much of a field lies in each column and in each row, from the middle pixel: a line for each map.

    Args:
        maps: name -> (H, W), all of one size.
        figure: to draw into; a new one by default.

    Returns:
        The figure, with two axes.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.3)
    for axes, axis, side in zip(figure.subplots(1, 2, sharey=True), (0, 1), ("column", "row"), strict=True):
        for i, (name, weighs) in enumerate(maps.items()):
            share = 100 * weighs.sum(axis) / weighs.sum()
            at = np.arange(len(share)) - len(share) // 2
            some = slice(None, None, max(1, len(share) // 24))
            axes.plot(
                at, share, color=PALETTE[i], linewidth=1.2, label=name, marker=MARKERS[i], markersize=3, markevery=some
            )
        quiet(axes, f"{side}, from the middle (px)")
    figure.axes[0].set_ylabel("share of the field (%)", fontsize=TEXT)
    figure.axes[0].legend(fontsize=SMALL, frameon=False)
    return figure
