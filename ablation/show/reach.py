"""Figures of receptive fields by stage, of the positions that a window or kernel sees, and of profiles of fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter
from numpy.typing import NDArray

from ..errors import AblationError
from .style import MARKERS, ORANGE, PAGE_INCHES, PALETTE, SMALL, TEXT, new_figure, quiet, strip_axes

_SIDES = (10, 30, 100, 300, 1000)  # pixels; ticks of the logarithmic axis


def plot_sides(panels: Mapping[str, pd.DataFrame], figure: Figure | None = None) -> Figure:
    """Plot the side of the receptive field after each stage: one panel per kind of field, one line per network, on one scale.

    Args:
        panels: title -> a table with columns network, stage and side_px. The mean is drawn if a network and stage have
            several rows.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.9)
    all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    names = list(dict.fromkeys(name for table in panels.values() for name in table["network"]))
    for axes, (title, table) in zip(all_axes, panels.items(), strict=True):
        for i, name in enumerate(names):
            rows = table[table["network"] == name]
            if not len(rows):
                continue
            means = rows.groupby("stage")["side_px"].mean()
            style = {"color": PALETTE[i], "marker": MARKERS[i % len(MARKERS)], "markersize": 3.5, "linewidth": 1.2}
            axes.plot(means.index, means, label=name, **style)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(_SIDES))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.xaxis.set_major_locator(FixedLocator(sorted(table["stage"].unique())))
        quiet(axes, "stage", title=title)
    all_axes[0].set_ylabel("side of the field (px)", fontsize=TEXT)
    handles, labels = all_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(names)), fontsize=SMALL, frameon=False)
    return figure


def plot_windows(
    maps: Mapping[str, Sequence[NDArray[np.float64]]],
    positions: Sequence[tuple[int, int]],
    window: int,
    figure: Figure | None = None,
) -> Figure:
    """Plot what each position sees: one row per layer, one column per position, with the borders of the windows.

    Args:
        maps: name of the layer -> for each of the positions, the weight of each input position, (H, W).
        positions: (row, column) of each position, which is marked with a cross.
        window: side of a window, in positions.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.

    Raises:
        AblationError: if a layer does not have exactly one map per position.
    """
    for name, layer_maps in maps.items():
        if len(layer_maps) != len(positions):
            raise AblationError(
                f"{name!r} has {len(layer_maps)} maps for {len(positions)} positions: expected one per position"
            )
    figure = figure or new_figure(1.2 + 1.25 * len(positions), 1.35 * len(maps) + 0.35)
    panels = figure.subplots(len(maps), len(positions), squeeze=False)
    for i, (row, (name, layer_maps)) in enumerate(zip(panels, maps.items(), strict=True)):
        top = max(float(weights.max()) for weights in layer_maps)
        for axes, weights, (down, right) in zip(row, layer_maps, positions, strict=True):
            axes.imshow(weights, cmap="cividis", norm=PowerNorm(0.5, 0, top), interpolation="none")
            for border in range(window, max(weights.shape), window):
                axes.axhline(border - 0.5, color="white", linewidth=0.6)
                axes.axvline(border - 0.5, color="white", linewidth=0.6)
            axes.plot(right, down, marker="x", color=ORANGE, markersize=5, markeredgewidth=1.4)
            strip_axes(axes, f"row {down}, column {right}" if i == 0 else "")
        row[0].set_ylabel(name, fontsize=TEXT, rotation=0, ha="right", va="center", labelpad=4)
    return figure


def plot_profiles(maps: Mapping[str, NDArray[np.float64]], figure: Figure | None = None) -> Figure:
    """Plot the share of a field in each column and in each row, relative to the middle pixel: one line per map.

    Args:
        maps: name -> (H, W), all of the same size.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure, with two axes.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.3)
    for axes, axis, side in zip(figure.subplots(1, 2, sharey=True), (0, 1), ("column", "row"), strict=True):
        for i, (name, weights) in enumerate(maps.items()):
            share = 100 * weights.sum(axis) / weights.sum()
            offsets = np.arange(len(share)) - len(share) // 2
            marked = slice(None, None, max(1, len(share) // 24))
            axes.plot(
                offsets,
                share,
                color=PALETTE[i],
                linewidth=1.2,
                label=name,
                marker=MARKERS[i],
                markersize=3,
                markevery=marked,
            )
        quiet(axes, f"{side}, from the middle (px)")
    figure.axes[0].set_ylabel("share of the field (%)", fontsize=TEXT)
    figure.axes[0].legend(fontsize=SMALL, frameon=False)
    return figure
