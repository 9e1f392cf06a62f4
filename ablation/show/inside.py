"""Figures of a network's internals: inputs and outputs of its norms, and how much Jacobians depend on the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from ..measure.jacobian import JacobianChange
from ..measure.norms import NormStatistics
from .choose import choose
from .style import (
    BLUE,
    COLUMN_INCHES,
    GREY,
    HEAT,
    MARKERS,
    ORANGE,
    PAGE_INCHES,
    SMALL,
    TEXT,
    colour_bar,
    headline,
    new_figure,
    quiet,
    strip_axes,
)

_MOST_PANELS = 3


def plot_norms(statistics: Mapping[str, Sequence[NormStatistics]], figure: Figure | None = None) -> Figure:
    """Plot the spread of the inputs and outputs of each norm in forward order, on shared axes.

    Of more than three networks, three are drawn: the first, the last, and the one whose number of norms changes most.

    Args:
        statistics: title -> the result of `norm_statistics`.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    titles = list(statistics)
    shown = [titles[i] for i in choose([len(entries) for entries in statistics.values()], _MOST_PANELS)]
    figure = figure or new_figure(PAGE_INCHES if len(shown) > 1 else COLUMN_INCHES, 2.3)
    panels = figure.subplots(1, len(shown), squeeze=False, sharex=True, sharey=True)[0]
    for title, axes in zip(shown, panels, strict=True):
        entries = statistics[title]
        depth = range(1, len(entries) + 1)
        axes.axhline(1, color=GREY, linewidth=0.8, zorder=0)
        for values, colour, marker, size, label in (
            ([row.spread_out for row in entries], ORANGE, "s", 9, "output"),
            ([row.spread_in for row in entries], BLUE, "o", 8, "input"),
        ):
            axes.scatter(depth, values, s=size, color=colour, marker=marker, linewidths=0, label=label, zorder=2)
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        quiet(axes, "norm, in forward order", title=f"{title}: {len(entries)} norms")
    panels[0].set_ylabel("standard deviation", fontsize=TEXT)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    return headline(figure, norms_finding({title: statistics[title] for title in shown}))


def norms_finding(statistics: Mapping[str, Sequence[NormStatistics]]) -> str:
    """Return how far the inputs of norms spread, and their outputs, over the networks."""
    inputs, outputs = (
        [getattr(row, name) for entries in statistics.values() for row in entries]
        for name in ("spread_in", "spread_out")
    )
    if not inputs:
        return "There are no norms"
    before, after = (
        f"{min(spreads):.2g} to {max(spreads):.2g}"
        if len({f"{spread:.2g}" for spread in spreads}) > 1
        else f"{spreads[0]:.2g}"
        for spreads in (inputs, outputs)
    )
    return f"Norms turn standard deviations of {before} into {after}"


def plot_jacobians(changes: Mapping[str, JacobianChange], images: int = 4, figure: Figure | None = None) -> Figure:
    """Plot the weight of each input position in the middle output: one row per layer, one column per image.

    Args:
        changes: name of the layer -> the result of `jacobian_change`.
        images: number of images to draw.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(0.75 * PAGE_INCHES, 1.05 * len(changes) + 0.1)
    images = min(images, *(len(change.maps) for change in changes.values()))
    panels = figure.subplots(len(changes), images, squeeze=False)
    for line, (row, (name, change)) in enumerate(zip(panels, changes.items(), strict=True)):
        window = _window(change.maps)
        top = change.maps[:images].max()
        for i, axes in enumerate(row):
            axes.imshow(change.maps[i][window], cmap=HEAT, norm=PowerNorm(0.5, 0, top), interpolation="none")
            strip_axes(axes, f"image {i + 1}" if line == 0 else "")
            axes.set_xlabel(f"{100 * change.change[i]:.0f} %", fontsize=SMALL, labelpad=1)
        row[0].set_ylabel(
            f"{name}\n{100 * change.mean:.0f} % on average", fontsize=TEXT, rotation=0, ha="right", va="center"
        )
    scale = ScalarMappable(PowerNorm(0.5, 0, 1), HEAT)
    bar = colour_bar(figure, scale, panels, "norm of the Jacobian,\nshare of the row's largest", pad=0.02, aspect=12)
    bar.set_yticks([0, 0.25, 1])
    return headline(
        figure, jacobians_finding(changes), "below each map: its change against the mean over images, % of the norm"
    )


def jacobians_finding(changes: Mapping[str, JacobianChange]) -> str:
    """Return how much the Jacobian of each layer changes from image to image."""
    parts = [f"{100 * change.mean:.0f} % in the {' '.join(name.split())}" for name, change in changes.items()]
    listed = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    return f"From image to image the Jacobian changes by {listed}"


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
