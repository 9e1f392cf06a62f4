"""Figures of a network's internals: inputs and outputs of its norms, and how much Jacobians depend on the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from ..measure.jacobian import JacobianChange
from ..measure.norms import NormStatistics
from .style import BLUE, COLUMN_INCHES, GREY, MARKERS, ORANGE, PAGE_INCHES, SMALL, TEXT, new_figure, quiet, strip_axes

_COLUMNS = 4


def plot_norms(statistics: Mapping[str, Sequence[NormStatistics]], figure: Figure | None = None) -> Figure:
    """Plot the spread of the inputs and outputs of each norm in forward order, one panel per network, on shared axes.

    Args:
        statistics: title -> the result of `norm_statistics`.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    columns = min(_COLUMNS, len(statistics))
    rows = -(-len(statistics) // columns)
    figure = figure or new_figure(PAGE_INCHES * max(columns, 2) / _COLUMNS, 1.35 * rows + 0.7)
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes in panels.flat[len(statistics) :]:
        axes.set_axis_off()
    for (title, entries), axes in zip(statistics.items(), panels.flat, strict=False):
        depth = range(1, len(entries) + 1)
        axes.axhline(1, color=GREY, linewidth=0.8, zorder=0)
        axes.scatter(depth, [row.spread_in for row in entries], s=5, color=BLUE, marker="o", linewidths=0, label="gets")
        axes.scatter(
            depth, [row.spread_out for row in entries], s=5, color=ORANGE, marker="s", linewidths=0, label="gives"
        )
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
        quiet(axes)
        axes.set_title(title, fontsize=SMALL, pad=2)
    figure.supxlabel("norm, in the order of the forward pass", fontsize=TEXT)
    figure.supylabel("standard deviation over all elements", fontsize=TEXT)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=SMALL, frameon=False, markerscale=2)
    return figure


def plot_jacobians(changes: Mapping[str, JacobianChange], images: int = 4, figure: Figure | None = None) -> Figure:
    """Plot the weight of each input position in the middle output: one row per layer, one column per image.

    Args:
        changes: name of the layer -> the result of `jacobian_change`.
        images: number of images to draw.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(COLUMN_INCHES + 0.6, 0.8 * len(changes) + 0.45)
    images = min(images, *(len(change.maps) for change in changes.values()))
    panels = figure.subplots(len(changes), images, squeeze=False)
    for line, (row, (name, change)) in enumerate(zip(panels, changes.items(), strict=True)):
        window = _window(change.maps)
        top = change.maps[:images].max()
        for i, axes in enumerate(row):
            axes.imshow(change.maps[i][window], cmap="cividis", norm=PowerNorm(0.5, 0, top), interpolation="none")
            strip_axes(axes, f"image {i + 1}" if line == 0 else "")
            axes.set_xlabel(f"{100 * change.change[i]:.0f} %", fontsize=SMALL, labelpad=1)
        row[0].set_ylabel(
            f"{name}\n{100 * change.mean:.0f} % on average", fontsize=TEXT, rotation=0, ha="right", va="center"
        )
    figure.supxlabel(
        "colour: the Jacobian's norm at each position, square-root scale;\n"
        "below: its change against the mean over images, % of the norm",
        fontsize=SMALL,
    )
    return figure


def _window(maps: np.ndarray) -> tuple[slice, slice]:
    """Return the rows and columns with a nonzero weight, with a margin of one position."""
    nonzero = maps.max(0) > 0
    sides = []
    for axis in (1, 0):
        inside = np.flatnonzero(nonzero.any(axis))
        sides.append(slice(max(0, int(inside[0]) - 1), int(inside[-1]) + 2))
    return sides[0], sides[1]


def plot_drift(statistics: Mapping[str, Sequence[NormStatistics]], axes: Axes | None = None) -> Axes:
    """Plot how far the means of these images are from the running means of batch normalisation, by depth.

    Args:
        statistics: title -> the result of `norm_statistics`; networks without batch normalisation are omitted.
        axes: axes to draw into; new axes by default.

    Returns:
        The axes.
    """
    axes = axes or new_figure(COLUMN_INCHES, 2.4).subplots()
    for i, (title, rows) in enumerate(statistics.items()):
        drift = [row.drift for row in rows if row.drift is not None]
        if drift:
            axes.plot(range(1, len(drift) + 1), drift, marker=MARKERS[i % len(MARKERS)], markersize=3, label=title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=SMALL, frameon=False)
    return quiet(axes, "batch normalisation layer", "|batch mean - running mean|\n/ running standard deviation")
