"""What halving the resolution does to fine detail and to shifted images, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..measure.aliasing import FINEST_KEPT, folded_share, frequencies
from .style import GREY, MARKERS, PAGE_INCHES, PALETTE, SMALL, TEXT, bare, new_figure, quiet

_COLUMNS = 3
_STYLES = ("-", "--", "-.", ":")


def plot_through(maps: Mapping[str, NDArray[np.float64]], figure: Figure | None = None) -> Figure:
    """Grey pictures side by side, each stretched to its own range.

    Args:
        maps: title -> (H, W).
        figure: to draw into; a new one by default.

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
        bare(axes).set_title(title, fontsize=TEXT)
    return figure


def plot_passed(energies: Mapping[str, NDArray[np.float64]], axes: Axes | None = None) -> Axes:
    """The energy that each layer passes by frequency, over its own mean; what lies in the grey part folds.

    Args:
        energies: name -> what `passed_energy` returned.
        axes: to draw into; new ones by default.

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
    return quiet(axes, "frequency of the grating (cycles a position)", "energy passed,\nover the layer's mean")


def plot_shift_errors(
    shifts: Sequence[int], errors: Mapping[str, NDArray[np.float64]], axes: Axes | None = None
) -> Axes:
    """How far a network's output moves when the image is shifted: means of runs as lines, the runs as a band around.

    Args:
        shifts: in pixels.
        errors: name -> (runs, len(shifts)), each a mean over images of what `shift_error` returned.
        axes: to draw into; new ones by default.

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
