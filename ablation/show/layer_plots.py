"""Figure of the receptive field of every layer against the side of the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator, ScalarFormatter

from ..measure.layer_fields import CRITICAL, GLOBAL, PRODUCTIVE, UNPRODUCTIVE, LayerField
from .style import BLUE, GREY, ORANGE, PAGE_INCHES, RED, SMALL, TEXT, headline, new_figure, quiet

# Status -> colour, marker and legend.
_LOOKS = {
    PRODUCTIVE: (BLUE, "o", "productive: its input does not see the whole image"),
    CRITICAL: (ORANGE, "s", "critical: its input sees the whole image on the longest path"),
    UNPRODUCTIVE: (RED, "X", "unproductive: on every path"),
    GLOBAL: (GREY, "D", "sees the whole image through attention, pooling or a norm"),
}
_SIDES = (1, 3, 10, 30, 100, 300, 1000, 3000)  # pixels; ticks of the logarithmic axis
_COLUMNS = 4


def plot_layer_fields(networks: Mapping[str, Sequence[LayerField]], figure: Figure | None = None) -> Figure:
    """Plot the field of each layer in the order of the layers: one panel per network, on one scale.

    Args:
        networks: title -> the network's layers.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    columns = min(_COLUMNS, len(networks))
    rows = -(-len(networks) // columns)
    figure = figure or new_figure(PAGE_INCHES, 0.9 + 1.7 * rows if columns > 1 else 3.2)
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, (title, layers) in zip(panels, networks.items(), strict=False):
        _plot_panel(axes, layers)
        quiet(axes, "layer", title=title)
        axes.set_title(f"{title}\n{_count(layers)}", fontsize=SMALL, loc="left")
    for axes in panels[len(networks) :]:
        axes.set_axis_off()
    for axes in panels[::columns]:
        axes.set_ylabel("side of the field (px)", fontsize=TEXT)
    found = {layer.status for layers in networks.values() for layer in layers}
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="", markersize=4, label=label)
        for status, (colour, marker, label) in _LOOKS.items()
        if status in found
    ]
    handles.append(Line2D([], [], color="black", linestyle="--", linewidth=0.8, label="side of the image"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=SMALL, frameon=False)
    return headline(figure, _finding(networks))


def _plot_panel(axes: Axes, layers: Sequence[LayerField]) -> None:
    for status, (colour, marker, _) in _LOOKS.items():
        chosen = [(i, layer.field) for i, layer in enumerate(layers, start=1) if layer.status == status]
        if chosen:
            axes.plot(*zip(*chosen, strict=True), linestyle="", marker=marker, markersize=2.8, color=colour)
    axes.axhline(layers[0].image, color="black", linestyle="--", linewidth=0.8)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(FixedLocator(_SIDES))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_formatter(NullFormatter())


def _count(layers: Sequence[LayerField]) -> str:
    """Return how many layers are marked, of all."""
    marked = sum(layer.status != PRODUCTIVE for layer in layers)
    return f"{marked} of {len(layers)} layers"


def _finding(networks: Mapping[str, Sequence[LayerField]]) -> str:
    """Return what the marked layers have in common, for the head of the figure."""
    layers = [layer for found in networks.values() for layer in found]
    image = layers[0].image
    counts = {
        title: sum(layer.status in (CRITICAL, UNPRODUCTIVE) for layer in found) for title, found in networks.items()
    }
    if any(counts.values()):
        most = max(counts, key=counts.__getitem__)
        of = f"{counts[most]} of {len(networks[most])} layers"
        return f"Up to {of} ({most}) get inputs that already see the whole image of {image} px"
    if any(layer.status == GLOBAL for layer in layers):
        return f"Layers that see the whole image of {image} px at once"
    return f"Every layer's input sees less than the image of {image} px"
