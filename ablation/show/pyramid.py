"""Figures of a network's pyramid of maps, which get smaller and wider from stage to stage, and of the cost of its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..design.cost import Cost
from .style import BLUE, GREY, PAGE_INCHES, PALETTE, SMALL, TEXT, new_figure, quiet

_SLOT, _MAX_WIDTH = 1.0, 0.84  # in axis units: distance between maps, and width of the widest map
_MIN_WIDTH = 0.015  # relative to the widest map: a narrower bar would look like a line
_MIN_LABELLED = 0.09  # relative to the longest bar: a shorter piece has no room for a number


@dataclass(frozen=True)
class Level:
    """The output of one part of a network.

    Args:
        name: name of the part.
        channels, side: number of channels and side of its output map.
        blocks: number of blocks in the part; 0 for a stem.
    """

    name: str
    channels: int
    side: int
    blocks: int = 0


def plot_pyramids(pyramids: Mapping[str, Sequence[Level]], figure: Figure | None = None) -> Figure:
    """Plot one row per network and one bar per map: its height is the map's side, its width the channels, all to one scale.

    Args:
        pyramids: title -> the outputs of its parts, in order.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(PAGE_INCHES, 1.2 * len(pyramids) + 0.2)
    panels = figure.subplots(len(pyramids), 1, squeeze=False)[:, 0]
    tallest = max(level.side for levels in pyramids.values() for level in levels)
    widest = max(level.channels for levels in pyramids.values() for level in levels)
    for (title, levels), axes in zip(pyramids.items(), panels, strict=True):
        for i, level in enumerate(levels):
            width = max(_MAX_WIDTH * level.channels / widest, _MIN_WIDTH * _MAX_WIDTH)
            height = level.side / tallest
            colour = BLUE if level.blocks else GREY
            axes.add_patch(
                Rectangle(
                    (i * _SLOT - width / 2, -height / 2),
                    width,
                    height,
                    facecolor=colour,
                    edgecolor="black",
                    linewidth=0.5,
                )
            )
        labels = [
            f"{level.name}: {level.side} x {level.side}\n{level.channels} channels"
            + (f", {level.blocks} block{'s' if level.blocks > 1 else ''}" if level.blocks else "")
            for level in levels
        ]
        axes.set_xlim(-0.5 * _SLOT, (len(levels) - 0.5) * _SLOT)
        axes.set_ylim(-0.55, 0.55)
        quiet(axes, title=title)
        axes.set_yticks([])
        axes.set_xticks(range(len(levels)), labels, fontsize=SMALL)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)
    return figure


def plot_costs(costs: Mapping[str, Cost], figure: Figure | None = None) -> Figure:
    """Plot parameters on the left and MACs on the right: one bar per network, stacked from the stem to the head.

    Args:
        costs: title -> the result of `ablation.cost`.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    figure = figure or new_figure(PAGE_INCHES, 0.36 * len(costs) + 1.0)
    params, macs = figure.subplots(1, 2, sharey=True)
    _stacked_bars(params, costs, "params", 1e6)
    _stacked_bars(macs, costs, "macs", 1e9)
    params.set_yticks(range(len(costs)), list(costs), fontsize=TEXT)
    params.invert_yaxis()
    quiet(params, "parameters (M)")
    quiet(macs, "multiply-accumulates (G)")
    params.tick_params(axis="y", labelsize=TEXT)
    handles, labels = params.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=SMALL, frameon=False)
    return figure


def _stacked_bars(axes: Axes, costs: Mapping[str, Cost], quantity: str, unit: float) -> None:
    names = [part.name for part in next(iter(costs.values())).stages]
    colours = [GREY, *PALETTE[: len(names) - 2], (1.0, 1.0, 1.0)]
    longest = max(getattr(cost, quantity) for cost in costs.values()) / unit
    for i, name in enumerate(names):
        lengths = [getattr(cost.stages[i], quantity) / unit for cost in costs.values()]
        starts = [sum(getattr(part, quantity) for part in cost.stages[:i]) / unit for cost in costs.values()]
        label = f"stage {int(name[-1]) + 1}" if name.startswith("stages.") else name
        axes.barh(
            range(len(costs)),
            lengths,
            left=starts,
            height=0.7,
            color=colours[i],
            edgecolor="black",
            linewidth=0.4,
            label=label,
        )
        for row, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            if length > _MIN_LABELLED * longest:
                axes.text(start + length / 2, row, f"{length:.2f}", fontsize=SMALL, ha="center", va="center")
