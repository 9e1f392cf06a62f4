"""Figures of receptive fields: for each network, the effective field of its last map with the theoretical field on top."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from ..measure.receptive_field import ERF
from ..measure.support import Field
from .choose import choose
from .style import HEAT, ORANGE, PAGE_INCHES, SMALL, TEXT, colour_bar, headline, new_figure, strip_axes

_DECADES = 4  # from the panel's largest gradient down to the end of the colour scale
_PER_DECADE = 4
_LEVELS = [10.0 ** (-_DECADES + i / _PER_DECADE) for i in range(_DECADES * _PER_DECADE + 1)]
_CMAP = colormaps[HEAT].resampled(len(_LEVELS) - 1)
_SCALE = BoundaryNorm(_LEVELS, _CMAP.N, clip=True)
_DARK = (0.2, 0.24, 0.35)  # behind a white line of the legend
_COLUMNS = 4
_MOST_PANELS = 8
_CELLS = 128  # along the side of a panel: of a larger map, cells are means
_MARGIN = 0.06  # of the image's side, around the image: leaves room for a field slightly larger than the image


@dataclass(frozen=True)
class NetworkField:
    """The receptive fields of one network, for one panel.

    Args:
        title: title of the network.
        effective: its effective receptive field.
        theoretical: its theoretical receptive field.
    """

    title: str
    effective: ERF
    theoretical: Field


def plot_fields(seen: Sequence[NetworkField], share: float = 0.5, figure: Figure | None = None) -> Figure:
    """Plot one panel per network: the effective field in colour, the square that holds a share of it, the theoretical field.

    Of more than eight networks, eight are drawn: the first, the last, and those whose field differs most from the one before.

    Args:
        seen: the networks' fields, one per panel, in order.
        share: share of the effective field that the solid square holds.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    sides = [math.log(max(1, entry.effective.side(share))) for entry in seen]
    shown = [seen[i] for i in choose(sides, _MOST_PANELS)]
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = figure or new_figure(PAGE_INCHES * columns / _COLUMNS + 0.4, 1.85 * rows + 0.4)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(shown) :]:
        axes.set_axis_off()
    for entry, axes in zip(shown, panels.flat, strict=False):
        plot_field(entry, axes, share)
    label = "gradient, share of the panel's largest"
    bar = colour_bar(
        figure, ScalarMappable(_SCALE, _CMAP), panels, label, shrink=0.85, aspect=30, pad=0.01, spacing="uniform"
    )
    ticks = [10.0**exponent for exponent in range(-_DECADES, 1)]
    bar.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    bar.yaxis.set_minor_locator(NullLocator())
    size = seen[0].effective.map.shape[0]
    legend = figure.legend(
        [
            Line2D([], [], color="white", linewidth=1.4),
            Line2D([], [], color=ORANGE, linewidth=1.4, linestyle="--"),
        ],
        [f"holds {100 * share:.0f} % of the effective field", "theoretical field, where it fits"],
        loc="outside lower center",
        ncols=2 if columns > 1 else 1,
        fontsize=SMALL,
        facecolor=_DARK,
        edgecolor=_DARK,
        labelcolor="white",
    )
    legend.set_in_layout(True)
    return headline(figure, fields_finding(seen, share), f"images of {size} x {size} px")


def fields_finding(seen: Sequence[NetworkField], share: float = 0.5) -> str:
    """Return how wide the effective field is in the first network and the last, and where it is widest."""
    sides = [entry.effective.side(share) for entry in seen]
    what = "Half of the effective field" if share == 0.5 else f"{100 * share:.0f} % of the effective field"
    first, last, widest = seen[0].title, seen[-1].title, seen[sides.index(max(sides))].title
    found = f"{what} is {sides[0]} px wide in {first}"
    if len(seen) > 1:
        found += f" and {sides[-1]} px in {last}"
    return found if max(sides) in (sides[0], sides[-1]) else f"{found}; it is widest in {widest}, {max(sides)} px"


def plot_field(entry: NetworkField, axes: Axes, share: float = 0.5) -> Axes:
    """One panel of `plot_fields`.

    Args:
        entry: the fields to draw.
        axes: axes to draw into.
        share: share of the effective field that the solid square holds.

    Returns:
        The axes, with the image's pixels as units.
    """
    field = entry.effective.map
    height, width = field.shape
    shown = _coarse(field)
    relative = np.clip(shown / max(shown.max(), 1e-300), 10.0**-_DECADES, 1)
    axes.imshow(relative, norm=_SCALE, cmap=_CMAP, extent=(0, width, height, 0), interpolation="none")
    side = entry.effective.side(share)
    _square(axes, width // 2 + 0.5, height // 2 + 0.5, min(side, width), min(side, height), "white", "-")
    whole = entry.theoretical.whole_image
    if not whole and entry.theoretical <= min(height, width) * (1 + 2 * _MARGIN):
        top, left = _first_pixel(entry)
        across, down = entry.theoretical.width, entry.theoretical.height
        _square(axes, left + across / 2, top + down / 2, across, down, ORANGE, "--")
    theory = "whole image" if whole else f"{int(entry.theoretical)} px"
    strip_axes(axes)
    axes.set_xlim(-_MARGIN * width, (1 + _MARGIN) * width)
    axes.set_ylim((1 + _MARGIN) * height, -_MARGIN * height)
    axes.set_title(entry.title, fontsize=TEXT, pad=2)
    axes.set_xlabel(f"{100 * share:.0f} % in {side} px; theory {theory}", fontsize=SMALL, labelpad=1)
    return axes


def _coarse(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a map of at most `_CELLS` cells a side, each the mean over a square of pixels."""
    step = -(-max(field.shape) // _CELLS)
    padded = np.pad(field, [(0, -side % step) for side in field.shape], mode="edge")
    rows, columns = padded.shape[0] // step, padded.shape[1] // step
    return padded.reshape(rows, step, columns, step).mean((1, 3))


def _first_pixel(entry: NetworkField) -> tuple[float, float]:
    """Return row and column of the first pixel that the middle position sees; outside the image if it sees padding."""
    pairs = zip(entry.effective.positions, entry.theoretical.stride, entry.theoretical.offset, strict=True)
    row, column = (n // 2 * stride + offset for n, stride, offset in pairs)
    return row, column


def _square(axes: Axes, x: float, y: float, width: float, height: float, colour: object, style: str) -> None:
    axes.add_patch(
        Rectangle(
            (x - width / 2, y - height / 2), width, height, fill=False, edgecolor=colour, linewidth=1.2, linestyle=style
        )
    )
