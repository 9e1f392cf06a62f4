"""What a recipe does to its training images, and which blocks stochastic depth skips, as pictures for the course."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import BLUE, PAGE_INCHES, QUIET, SMALL, new_figure

_COLUMNS = 4


def plot_augmented(images: Mapping[str, NDArray[np.generic]], figure: Figure | None = None) -> Figure:
    """Plot colour images side by side, four in a row, each under its name.

    Args:
        images: name -> (H, W, 3), from 0 to 255 as whole numbers or from 0 to 1.
        figure: figure to draw into; a new one by default.
    """
    rows = -(-len(images) // _COLUMNS)
    figure = figure or new_figure(PAGE_INCHES, 1.95 * rows)
    grid = figure.subplots(rows, _COLUMNS, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, (name, image) in zip(grid.flat, images.items(), strict=False):
        axes.imshow(image, interpolation="none")
        axes.set_title(name, fontsize=SMALL)
    return figure


def plot_skipped(skipped: NDArray[np.bool_], axes: Axes) -> Axes:
    """Plot which residual branches are skipped for which image.

    Args:
        skipped: (images, blocks).
        axes: axes to draw into.
    """
    axes.pcolormesh(
        skipped, cmap=ListedColormap([(0.93, 0.93, 0.93), BLUE]), vmin=0, vmax=1, edgecolor="white", linewidth=1
    )
    axes.invert_yaxis()
    images, blocks = skipped.shape
    axes.set_xticks(np.arange(0, blocks, 3) + 0.5, [str(i + 1) for i in range(0, blocks, 3)])
    axes.set_yticks(np.arange(0, images, 4) + 0.5, [str(i + 1) for i in range(0, images, 4)])
    axes.tick_params(length=0, colors=QUIET)
    axes.set(xlabel="block", ylabel="image of the batch")
    return axes
