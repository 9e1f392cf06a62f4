"""Figure of an image with a covered window, and of the scores with and without it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from .style import BLUE, GREY, ORANGE, SMALL, TEXT, quiet, strip_axes


def plot_covered(
    image: NDArray[np.float64], window: tuple[int, int, int], before: Sequence[float], after: Sequence[float]
) -> Figure:
    """Draw an image with a covered window outlined, and two bars per class: the logit without and with the window covered.

    Args:
        image: (H, W), the whole image.
        window: first row, first column and side of the covered window, in pixels.
        before: logits of the whole image, one per class.
        after: logits with the window covered.
    """
    figure = Figure(figsize=(6.4, 2.4))
    left, right = figure.subplots(1, 2, width_ratios=(1, 2.2))
    row, column, side = window
    shown = image.copy()
    shown[row : row + side, column : column + side] = 0
    left.imshow(shown, cmap="gray", vmin=0, vmax=float(image.max()))
    edge = Rectangle((column - 0.5, row - 0.5), side, side, fill=False, edgecolor=ORANGE, linewidth=1.8)
    strip_axes(left).add_patch(edge)
    classes = np.arange(len(before))
    right.axhline(0, color=GREY, linewidth=0.6)
    right.bar(classes - 0.2, before, 0.4, color=BLUE, label="whole image")
    right.bar(classes + 0.2, after, 0.4, color=ORANGE, hatch="////", edgecolor="white", label="window covered")
    right.legend(fontsize=SMALL, frameon=False, loc="upper right", ncols=2)
    low, high = min(*before, *after, 0.0), max(*before, *after)
    right.set_ylim(low - 0.05 * (high - low), high + 0.22 * (high - low))
    right.set_xticks(classes)
    quiet(right, "class", "logit")
    right.xaxis.label.set_fontsize(TEXT)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.19, top=0.97, wspace=0.3)
    return figure
