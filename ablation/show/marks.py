"""Figures of images with known ground truth: the images, outlines of masks, and the share of attributions on the marks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import GREY, MARKERS, ORANGE, PAGE_INCHES, PALETTE, SMALL, TEXT, new_figure, quiet, strip_axes

_MAX_IMAGES = 8  # in a row


def plot_images(images: NDArray[np.generic], titles: Sequence[str], figure: Figure | None = None) -> Figure:
    """Plot grey images in a row, each with a title.

    Args:
        images: (N, H, W), up to eight; black is the smallest value over all images, white the largest.
        titles: N titles, one per image.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    count = min(_MAX_IMAGES, len(images))
    figure = figure or new_figure(PAGE_INCHES * min(1.0, count / 5), 1.6)
    for axes, image, title in zip(figure.subplots(1, count, squeeze=False)[0], images, titles, strict=True):
        axes.imshow(image, cmap="gray", vmin=images.min(), vmax=images.max(), interpolation="none")
        strip_axes(axes, title)
    return figure


def outline(axes: Axes, inside: NDArray[np.bool_], colour: object = ORANGE) -> Axes:
    """Draw the border between the pixels inside a mask and those outside.

    Args:
        axes: axes that show an image of the mask's size.
        inside: mask, (H, W).
        colour: colour of the line.

    Returns:
        The axes.
    """
    padded = np.pad(inside, 1)
    for row, column in np.argwhere(padded[1:] != padded[:-1]):
        axes.plot([column - 1.5, column - 0.5], [row - 0.5] * 2, color=colour, linewidth=0.8, solid_capstyle="butt")
    for row, column in np.argwhere(padded[:, 1:] != padded[:, :-1]):
        axes.plot([column - 0.5] * 2, [row - 1.5, row - 0.5], color=colour, linewidth=0.8, solid_capstyle="butt")
    return axes


def plot_shares(table: pd.DataFrame, chance: float, figure: Figure | None = None) -> Figure:
    """Plot how much of each attribution lies on the marks: one row per method, one dot per network and seed.

    Args:
        table: one row per method, network and seed, with columns method, network and share (0 to 1).
        chance: share for an attribution that is spread evenly over the image.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    methods, networks = (list(dict.fromkeys(table[column])) for column in ("method", "network"))
    figure = figure or new_figure(PAGE_INCHES, 0.36 * len(methods) + 1.1)
    axes = figure.subplots()
    for i, network in enumerate(networks):
        rows = table[table["network"] == network]
        heights = rows["method"].map(methods.index) + 0.22 * (i - (len(networks) - 1) / 2)
        axes.scatter(
            100 * rows["share"],
            heights,
            s=14,
            color=PALETTE[i],
            marker=MARKERS[i],
            linewidths=0,
            label=network,
            zorder=2,
        )
    for border in range(1, len(methods)):
        axes.axhline(border - 0.5, color=GREY, linewidth=0.4, zorder=0)
    axes.axvline(100 * chance, color=GREY, linewidth=1, linestyle="--", zorder=1, label="spread evenly")
    axes.set_yticks(range(len(methods)), methods)
    axes.set_ylim(len(methods) - 0.5, -0.5)
    axes.set_xlim(left=0)
    quiet(axes, "share of the absolute attribution on the marks (%)")
    axes.tick_params(axis="y", length=0, labelsize=TEXT)
    figure.legend(loc="outside lower center", ncols=len(networks) + 1, fontsize=SMALL, frameon=False)
    return figure
