"""Figures of which inputs reach which outputs of a convolution: whether it mixes positions, channels or both.

The lines are derived from each layer's Jacobian along one row of a map, without special cases for types of layers. A layer is
drawn according to what it computes, even if that differs from what its name suggests.
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

from .style import BLUE, GREY, ORANGE, PAGE_INCHES, SMALL, TEXT, new_figure, strip_axes

_HEIGHT = 8.0  # from the input to the output, in positions
_CHANNEL_OFFSET = (0.55, 0.5)  # right and up, per channel


def reaches(layer: nn.Module, channels: int, positions: int = 7) -> NDArray[np.bool_]:
    """Compute which inputs a layer's outputs depend on, along one row of a map.

    Args:
        layer: layer with an input of shape (1, channels, 1, positions).
        channels: number of input channels.
        positions: number of positions in the row.

    Returns:
        (output channels, output positions, input channels, input positions): whether that output depends on that input.
    """
    row = torch.randn(1, channels, 1, positions, generator=torch.Generator().manual_seed(0))

    def outputs(x: Tensor) -> Tensor:
        return layer(x)[0, :, 0]  # (C, positions)

    jacobian: Tensor = torch.autograd.functional.jacobian(outputs, row)
    return (jacobian[:, :, 0, :, 0] != 0).numpy()


def plot_paths(
    layers: Mapping[str, Sequence[nn.Module]], channels: int = 4, positions: int = 7, figure: Figure | None = None
) -> Figure:
    """Plot one panel per sequence of layers: the lines that lead to all channels at the middle position.

    Each line is one product; the lines of one output channel are coloured. Only one row of the map is drawn, so a k x k
    convolution shows k of its k * k positions.

    Args:
        layers: title -> layers in order; each layer's input is the previous layer's output, and all keep the positions.
        channels: number of input channels of the first layers.
        positions: number of positions in the row.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.9)
    panels = figure.subplots(1, len(layers), squeeze=False, sharey=True)[0]
    for axes, (title, sequence) in zip(panels, layers.items(), strict=True):
        products = _plot_panel(axes, sequence, channels, positions)
        strip_axes(axes)
        axes.set_title(f"{title}\n{products} products", fontsize=TEXT)
    figure.supxlabel(
        "one row of the map: positions to the right, channels to the back; input below, output above. "
        "Colour: what reaches one output channel",
        fontsize=SMALL,
    )
    return figure


def _plot_panel(axes: Axes, layers: Sequence[nn.Module], channels: int, positions: int) -> int:
    """Draw one panel and return the number of lines that lead to the middle position."""
    layer_links: list[NDArray[np.bool_]] = []
    rise = _HEIGHT / len(layers)
    for layer in layers:
        layer_links.append(reaches(layer, channels if not layer_links else layer_links[-1].shape[0], positions))
    top: NDArray[np.bool_] = np.zeros(layer_links[-1].shape[:2], bool)
    top[:, positions // 2] = True
    one: NDArray[np.bool_] = np.zeros(layer_links[-1].shape[:2], bool)
    one[0, positions // 2] = True  # the front channel, which nothing covers
    products = 0
    for level in range(len(layer_links), 0, -1):
        links = layer_links[level - 1]
        _nodes(axes, level * rise, top, one)
        for outputs, colour, width in ((top & ~one, GREY, 0.5), (one, ORANGE, 0.9)):
            ends = np.argwhere(links & outputs[:, :, None, None])
            products += len(ends)
            lines = [
                (_coordinates((level - 1) * rise, c_in, i), _coordinates(level * rise, c_out, o))
                for c_out, o, c_in, i in ends
            ]
            axes.add_collection(LineCollection(lines, colors=[colour], linewidths=width, zorder=1))
        top, one = np.asarray(links[top].any(0)), np.asarray(links[one].any(0))
    _nodes(axes, 0, top, one)
    axes.set_aspect("equal")
    axes.margins(0.04)
    return products


def _nodes(axes: Axes, height: float, reached: NDArray[np.bool_], highlighted: NDArray[np.bool_]) -> None:
    """Draw the elements of a map, filled where a line starts or ends."""
    for (channel, position), is_reached in np.ndenumerate(reached):
        colour = ORANGE if highlighted[channel, position] else BLUE if is_reached else (1.0, 1.0, 1.0)
        axes.scatter(
            *_coordinates(height, channel, position), s=13, c=[colour], edgecolors=["0.45"], linewidths=0.5,
            marker="s" if highlighted[channel, position] else "o", zorder=3 - 0.01 * channel,
        )  # fmt: skip


def _coordinates(height: float, channel: int, position: int) -> tuple[float, float]:
    return position + _CHANNEL_OFFSET[0] * channel, height + _CHANNEL_OFFSET[1] * channel
