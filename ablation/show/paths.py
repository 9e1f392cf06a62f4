"""Which inputs reach which outputs of a convolution, drawn as lines: what mixes positions, what mixes channels.

Nothing here knows what a depthwise convolution is. The lines are read off each layer's own Jacobian along one row of a map, so a
layer that mixes something else than its name says is drawn as what it does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from .style import BLUE, GREY, ORANGE, PAGE_INCHES, SMALL, TEXT, bare, new_figure

_HEIGHT = 8.0  # from the input to the output, in positions
_SLANT = (0.55, 0.5)  # to the right and up, for each channel further back


def reaches(layer: nn.Module, channels: int, positions: int = 7) -> NDArray[np.bool_]:
    """Which inputs a layer's outputs depend on, along one row of a map.

    Args:
        layer: takes (1, channels, 1, positions).
        channels: it takes.
        positions: in the row.

    Returns:
        (channels put out, positions put out, channels, positions): whether that output changes with that input.
    """
    row = torch.randn(1, channels, 1, positions, generator=torch.Generator().manual_seed(0))

    def outputs(x: Tensor) -> Tensor:
        return layer(x)[0, :, 0]  # (C, positions)

    jacobian: Tensor = torch.autograd.functional.jacobian(outputs, row)
    return (jacobian[:, :, 0, :, 0] != 0).numpy()


def plot_paths(
    layers: Mapping[str, Sequence[nn.Module]], channels: int = 4, positions: int = 7, figure: Figure | None = None
) -> Figure:
    """A panel for each convolution, or sequence of them: the lines that lead to all channels at the middle position.

    Each line is one product, in colour for one output channel. A row of the map is drawn, so a k x k convolution shows k of
    its k * k positions.

    Args:
        layers: title -> layers in order, each of which takes what the one before puts out and keeps the positions.
        channels: that the first layers take.
        positions: in the row.
        figure: to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.9)
    panels = figure.subplots(1, len(layers), squeeze=False, sharey=True)[0]
    for axes, (title, sequence) in zip(panels, layers.items(), strict=True):
        products = _plot(axes, sequence, channels, positions)
        bare(axes)
        axes.set_title(f"{title}\n{products} products", fontsize=TEXT)
    figure.supxlabel(
        "one row of the map: positions to the right, channels to the back; input below, output above. "
        "Colour: what reaches one output channel",
        fontsize=SMALL,
    )
    return figure


def _plot(axes: Axes, layers: Sequence[nn.Module], channels: int, positions: int) -> int:
    """One panel; returns how many lines lead to the middle position."""
    linked: list[NDArray[np.bool_]] = []
    rise = _HEIGHT / len(layers)
    for layer in layers:
        linked.append(reaches(layer, channels if not linked else linked[-1].shape[0], positions))
    top: NDArray[np.bool_] = np.zeros(linked[-1].shape[:2], bool)
    top[:, positions // 2] = True
    one: NDArray[np.bool_] = np.zeros(linked[-1].shape[:2], bool)
    one[0, positions // 2] = True  # the channel in front: nothing is drawn over it
    products = 0
    for level in range(len(linked), 0, -1):
        links = linked[level - 1]
        _nodes(axes, level * rise, top, one)
        for wanted, colour, width in ((top & ~one, GREY, 0.5), (one, ORANGE, 0.9)):
            ends = np.argwhere(links & wanted[:, :, None, None])
            products += len(ends)
            lines = [
                (_place((level - 1) * rise, c_in, i), _place(level * rise, c_out, o)) for c_out, o, c_in, i in ends
            ]
            axes.add_collection(LineCollection(lines, colors=[colour], linewidths=width, zorder=1))
        top, one = np.asarray(links[top].any(0)), np.asarray(links[one].any(0))
    _nodes(axes, 0, top, one)
    axes.set_aspect("equal")
    axes.margins(0.04)
    return products


def _nodes(axes: Axes, height: float, reached: NDArray[np.bool_], of_one: NDArray[np.bool_]) -> None:
    """The elements of a map: filled where a line starts or ends."""
    for (channel, position), there in np.ndenumerate(reached):
        colour = ORANGE if of_one[channel, position] else BLUE if there else (1.0, 1.0, 1.0)
        axes.scatter(
            *_place(height, channel, position), s=13, c=[colour], edgecolors=["0.45"], linewidths=0.5,
            marker="s" if of_one[channel, position] else "o", zorder=3 - 0.01 * channel,
        )  # fmt: skip


def _place(height: float, channel: int, position: int) -> tuple[float, float]:
    return position + _SLANT[0] * channel, height + _SLANT[1] * channel
