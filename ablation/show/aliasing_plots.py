"""Figures of what halving the resolution does to fine detail and to shifted images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..measure.aliasing import FINEST_KEPT, folded_share, frequencies
from .style import GREY, MARKERS, PAGE_INCHES, PALETTE, SMALL, TEXT, new_figure, quiet, strip_axes

_COLUMNS = 3
_STYLES = ("-", "--", "-.", ":")


def plot_through(maps: Mapping[str, NDArray[np.float64]], figure: Figure | None = None) -> Figure:
    """Plot maps side by side in grey, each scaled to its own range.

    Args:
        maps: title -> (H, W).
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    columns = min(_COLUMNS, len(maps))
    rows = -(-len(maps) // columns)
    figure = figure or new_figure(PAGE_INCHES * columns / _COLUMNS, 2.45 * rows)
    panels = figure.subplots(rows, columns, squeeze=False)
    for axes in panels.flat[len(maps) :]:
        axes.set_axis_off()
    for (title, values), axes in zip(maps.items(), panels.flat, strict=False):
        axes.imshow(values, cmap="gray", interpolation="none")
        strip_axes(axes).set_title(title, fontsize=TEXT)
    return figure


def plot_passed(energies: Mapping[str, NDArray[np.float64]], axes: Axes | None = None) -> Axes:
    """Plot the energy that each layer passes at each frequency, relative to its mean; frequencies in the grey area alias.

    Args:
        energies: name -> the result of `passed_energy`.
        axes: axes to draw into; new axes by default.

    Returns:
        The axes.
    """
    axes = axes or new_figure(PAGE_INCHES, 2.9).subplots()
    axes.axvspan(FINEST_KEPT, 0.5, color=GREY, alpha=0.4, linewidth=0)
    for i, (name, energy) in enumerate(energies.items()):
        axes.plot(
            frequencies(2 * len(energy)),
            energy / energy.mean(),
            color=PALETTE[i],
            linestyle=_STYLES[i % len(_STYLES)],
            marker=MARKERS[i],
            markersize=3,
            label=f"{name}: {100 * folded_share(energy):.0f} % folds",
        )
    axes.set_xlim(0, 0.5)
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=SMALL, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return quiet(axes, "frequency of the grating (cycles per position)", "energy passed,\nover the layer's mean")


def plot_shift_errors(
    shifts: Sequence[int], errors: Mapping[str, NDArray[np.float64]], axes: Axes | None = None
) -> Axes:
    """Plot how much a network's output changes when the image is shifted: the mean of the runs as a line, their range as a band.

    Args:
        shifts: shifts of the image, in pixels.
        errors: name -> (runs, len(shifts)), each the mean over images of the result of `shift_error`.
        axes: axes to draw into; new axes by default.

    Returns:
        The axes.
    """
    axes = axes or new_figure(PAGE_INCHES, 2.9).subplots()
    for i, (name, runs) in enumerate(errors.items()):
        axes.fill_between(shifts, runs.min(0), runs.max(0), color=PALETTE[i], alpha=0.2, linewidth=0)
        axes.plot(
            shifts,
            runs.mean(0),
            color=PALETTE[i],
            linestyle=_STYLES[i % len(_STYLES)],
            marker=MARKERS[i],
            markersize=3,
            label=name,
        )
    axes.set_xticks([shift for shift in shifts if shift % 4 == 0])
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=SMALL, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return quiet(axes, "shift of the image (px)", "change of the features\n(1: another photograph)")
