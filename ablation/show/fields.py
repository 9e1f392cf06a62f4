"""Figures of receptive fields: for each network, the effective field of its last map with the theoretical field on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..measure.receptive_field import ERF
from ..measure.support import Field
from .style import ORANGE, PAGE_INCHES, SMALL, TEXT, new_figure, strip_axes

_MIN_GRADIENT = 1e-4  # relative to the panel's maximum; the lower end of the colour scale
_CMAP = "cividis"
_COLUMNS = 4
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

    Args:
        seen: the networks' fields, one per panel, in order.
        share: share of the effective field that the solid square holds.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    columns = min(_COLUMNS, len(seen))
    rows = -(-len(seen) // columns)
    figure = figure or new_figure(PAGE_INCHES * columns / _COLUMNS + 0.4, 2.0 * rows + 0.55)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(seen) :]:
        axes.set_axis_off()
    for entry, axes in zip(seen, panels.flat, strict=False):
        plot_field(entry, axes, share)
    colours = ScalarMappable(LogNorm(_MIN_GRADIENT, 1), _CMAP)
    bar = figure.colorbar(colours, ax=panels, shrink=0.6, aspect=30, pad=0.01)
    bar.set_label("gradient, relative to the panel's largest (log)", fontsize=SMALL)
    bar.ax.tick_params(labelsize=SMALL)
    size = seen[0].effective.map.shape[0]
    handles = [
        Rectangle((0, 0), 1, 1, fill=False, edgecolor="white", linewidth=1.2),
        Rectangle((0, 0), 1, 1, fill=False, edgecolor=ORANGE, linewidth=1.2, linestyle="--"),
    ]
    legend = figure.legend(
        handles,
        [f"holds {100 * share:.0f} % of the effective field", "theoretical field, where it fits"],
        loc="outside lower center",
        ncols=2 if columns > 1 else 1,
        fontsize=SMALL,
        facecolor=(0.2, 0.24, 0.35),
        labelcolor="white",
        title=f"images of {size} x {size} px",
        title_fontsize=SMALL,
    )
    legend.get_title().set_color("white")
    return figure


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
    relative = np.clip(field / max(field.max(), 1e-300), _MIN_GRADIENT, 1)
    axes.imshow(
        relative, norm=LogNorm(_MIN_GRADIENT, 1), cmap=_CMAP, extent=(0, width, height, 0), interpolation="none"
    )
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
