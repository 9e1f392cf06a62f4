"""Figures of residual blocks as silhouettes: the width before and after each convolution, and which one mixes positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from torch import Tensor, nn

from ..measure.modes import evaluating
from .style import BLUE, GREY, HATCH, ORANGE, PAGE_INCHES, SMALL, TEXT, new_figure, strip_axes


@dataclass(frozen=True)
class Passage:
    """One convolution of a block, as recorded in the forward pass.

    Args:
        name: name of the module in the block.
        kernel: side of its kernel.
        depthwise: whether it has one filter per channel.
        in_chs, out_chs: number of input and output channels.
        side: side of the output map, in positions.
        params, macs: parameters and MACs of this convolution; the MACs are per image.
    """

    name: str
    kernel: int
    depthwise: bool
    in_chs: int
    out_chs: int
    side: int
    params: int
    macs: int


def passages(block: nn.Module, channels: int, size: int) -> list[Passage]:
    """Return the convolutions of a block in the order in which the forward pass calls them, including those of a shortcut.

    Args:
        block: block with an input of shape (1, channels, size, size).
        channels: number of input channels.
        size: side of the input map, in positions.
    """
    found: list[Passage] = []

    def make_hook(name: str) -> Any:
        def record(conv: nn.Conv2d, _: Any, output: Tensor) -> None:
            depthwise = conv.groups == conv.in_channels > 1
            params = sum(parameter.numel() for parameter in conv.parameters())
            macs = conv.weight.numel() * output.shape[-2] * output.shape[-1]
            kernel, side = int(conv.kernel_size[0]), int(output.shape[-1])
            found.append(Passage(name, kernel, depthwise, conv.in_channels, conv.out_channels, side, params, macs))

        return record

    convs = [(name, part) for name, part in block.named_modules() if isinstance(part, nn.Conv2d)]
    handles = [part.register_forward_hook(make_hook(name)) for name, part in convs]
    try:
        with evaluating(block), torch.no_grad():
            block(torch.zeros(1, channels, size, size))
    finally:
        for handle in handles:
            handle.remove()
    return found


def plot_blocks(blocks: Mapping[str, list[Passage]], figure: Figure | None = None) -> Figure:
    """Plot one silhouette per block, input at the top: the width is the number of channels; spatial convolutions are hatched.

    Args:
        blocks: title -> the convolutions of its branch, from `passages`.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.7)
    panels = figure.subplots(1, len(blocks), squeeze=False, sharex=True, sharey=True)[0]
    widest = max(max(p.in_chs, p.out_chs) for steps in blocks.values() for p in steps)
    for axes, (title, steps) in zip(panels, blocks.items(), strict=True):
        _silhouette(axes, steps, widest)
        strip_axes(axes)
        axes.set_title(title, fontsize=TEXT)
    return figure


def _silhouette(axes: Axes, steps: list[Passage], widest: int) -> None:
    for i, step in enumerate(steps):
        top, bottom = -i, -i - 0.82
        left, right = step.in_chs / 2, step.out_chs / 2
        corners = [(-left, top), (left, top), (right, bottom), (-right, bottom)]
        spatial = step.kernel > 1
        axes.add_patch(
            Polygon(
                corners,
                facecolor="white" if spatial else GREY,
                edgecolor=ORANGE if spatial else BLUE,
                hatch=HATCH if spatial else None,
                linewidth=1,
            )
        )
        kind = f"{step.kernel}x{step.kernel}{' depthwise' if step.depthwise else ''}"
        axes.text(
            0, (top + bottom) / 2, f"{kind}\n{step.macs / 1e6:.1f} M MACs", fontsize=SMALL, ha="center", va="center",
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1},
        )  # fmt: skip
    for level, channels in enumerate([steps[0].in_chs, *(step.out_chs for step in steps)]):
        axes.text(
            0.56 * widest,
            -level + 0.09 * (level > 0),
            f"{channels}",
            fontsize=SMALL,
            ha="left",
            va="center",
            color="0.25",
        )
    axes.text(0.56 * widest, 0.22, "channels", fontsize=SMALL, ha="center", va="center", color="0.25")
    axes.set_xlim(-0.54 * widest, 0.72 * widest)
    axes.set_ylim(-len(steps) - 0.05, 0.32)
