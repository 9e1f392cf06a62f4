"""Figure of a receptive field in one dimension: the positions of every layer that influence one position of the last."""

from __future__ import annotations

from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from .style import BLUE, GREY, PAGE_INCHES, SMALL, TEXT

_MARGIN = 0.15  # of the field: what is shown on either side of it
_HEIGHT, _GAP = 0.55, 0.12  # of a row; of the distance between two positions of a layer
_MOST_PIXELS = 360  # shown at most


def plot_window_stack(kernel: int, stride: int, depth: int) -> Figure:
    """Draw the image at the bottom and one row per layer above; what the top position depends on is filled.

    Args:
        kernel: kernel size of every layer, in positions of its input.
        stride: stride of every layer.
        depth: number of layers, 1 or more.

    Returns:
        The figure; its x axis is in pixels of the image.
    """
    figure = Figure(figsize=(PAGE_INCHES, 0.34 * depth + 1.1))
    axes = figure.subplots()
    reach = (kernel - 1) / 2 * sum(stride**row for row in range(depth))  # of the field, from the middle, in pixels
    edge = min(reach + max(3.0, 2 * _MARGIN * reach), _MOST_PIXELS / 2)
    half = 0.0  # of the centres that the row depends on, from the middle, in pixels
    for row in range(depth, -1, -1):
        jump = stride**row
        number = int(edge / jump) + 1
        inside: list[Rectangle] = []
        outside: list[Rectangle] = []
        shift = _offset(kernel, stride, row, depth)
        for i in range(-number, number + 1):
            x = i * jump + shift
            cell = Rectangle((x - jump * (1 - _GAP) / 2, row - _HEIGHT / 2), jump * (1 - _GAP), _HEIGHT)
            (inside if abs(x) <= half + 1e-6 else outside).append(cell)
        for cells, look in ((outside, {"facecolor": GREY, "alpha": 0.35}), (inside, {"facecolor": BLUE})):
            axes.add_collection(PatchCollection(cells, linewidth=0, snap=False, **look))
        half += (kernel - 1) / 2 * (stride ** (row - 1) if row else 0)
    axes.set_xlim(-edge - 0.5, edge + 0.5)
    axes.set_ylim(-0.6, depth + 0.6)
    axes.set_yticks(range(depth + 1), ["image", *(f"layer {row}" for row in range(1, depth + 1))], fontsize=TEXT)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=SMALL)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("pixels from the middle", fontsize=TEXT)
    axes.spines[["top", "right", "left"]].set_visible(False)
    height = figure.get_size_inches()[1]
    figure.subplots_adjust(left=0.09, right=0.99, bottom=0.5 / height, top=1 - 0.08 / height)
    return figure


def _offset(kernel: int, stride: int, row: int, depth: int) -> float:
    """Return where the positions of a row lie relative to the middle, for kernels of even size: halves of a jump add up."""
    offset: float = sum((kernel - 1) / 2 * stride**below for below in range(row, depth))
    return offset % stride**row
