"""Figure of stripes before and after a layer of stride 2: what is above the limit comes out as coarser stripes, or not at all."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..measure.aliasing import FINEST_KEPT
from .style import BLUE, GREY, ORANGE, PAGE_INCHES, TEXT, quiet

_PIXELS = 24
_FINE = 10  # points per pixel of the line through the stripes
_APART = 2.5  # between two rows, in units of the stripes' contrast


def stripes_through(frequency: float, shift: float) -> dict[str, NDArray[np.float64]]:
    """Return a cosine of 24 pixels, and what three layers of stride 2 make of it.

    Args:
        frequency: cycles per pixel, 0 to a half.
        shift: shift to the right in pixels.

    Returns:
        "pixels" (24,), and (12,) for each of "every second pixel", "average of two" and "maximum of two".

    >>> stripes_through(0.5, 0)["average of two"].round(2).max()
    np.float64(0.0)
    """
    pixels = np.cos(2 * np.pi * frequency * (np.arange(_PIXELS) - shift))
    pairs = pixels.reshape(-1, 2)
    return {
        "pixels": pixels,
        "every second pixel": pairs[:, 0],
        "average of two": pairs.mean(1),
        "maximum of two": pairs.max(1),
    }


def plot_sampling(frequency: float, shift: float) -> Figure:
    """Draw a row of pixels with stripes, and below it the output of each layer, all on one scale; grey lines are zero.

    Args: as for `stripes_through`.
    """
    through = stripes_through(frequency, shift)
    figure = Figure(figsize=(PAGE_INCHES, 3.3))
    axes = figure.subplots()
    levels = [-_APART * row for row in range(len(through))]
    fine = np.arange(0, _PIXELS - 1 + 0.5 / _FINE, 1 / _FINE)
    coarse = (
        frequency if frequency <= FINEST_KEPT else frequency - 0.5
    )  # of the slowest wave through every second pixel
    for level, wave in zip(levels, (frequency, coarse), strict=False):
        line = np.cos(2 * np.pi * (wave * fine - frequency * shift))
        axes.plot(fine, level + line, color=GREY, linewidth=0.8)
    axes.hlines(levels, -0.5, _PIXELS - 0.5, color=GREY, linewidth=0.5)
    for level, (name, values) in zip(levels, through.items(), strict=True):
        at = np.arange(len(values)) * (_PIXELS / len(values)) + (0.5 if name.endswith("of two") else 0.0)
        colour = BLUE if name == "pixels" else ORANGE
        axes.vlines(at, level, level + values, color=colour, linewidth=1.4)
        axes.scatter(at, level + values, s=12, color=colour, linewidths=0, zorder=3)
    quiet(axes, "position in pixels of the input").set_yticks(levels, list(through), fontsize=TEXT)
    axes.tick_params(axis="y", length=0)
    axes.set_xlim(-0.7, _PIXELS - 0.3)
    axes.set_ylim(levels[-1] - 1.2, 1.2)
    figure.subplots_adjust(left=0.18, right=0.99, bottom=0.13, top=0.98)
    return figure
