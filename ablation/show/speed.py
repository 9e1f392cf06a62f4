"""Figures of cost and time: latency of each rung, the Pareto front of accuracy and latency, and time by kind of layer."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..measure.breakdown import KINDS
from .front import pareto_front
from .style import BLUE, GREY, HATCH, ORANGE, PAGE_INCHES, PALETTE, SMALL, TEXT, new_figure, quiet

_KIND_HATCH = dict(zip(KINDS, ("", "", "", "", HATCH, "....", "xxxx"), strict=True))


def plot_speed(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Plot latency against MACs, and published accuracy against latency with the Pareto front; a legend explains the numbers.

    Args:
        table: one row per network, with columns title, macs, batch, published_accuracy in percent, and seconds, low and
            high of one call.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure, with two axes.
    """
    figure = figure or new_figure(PAGE_INCHES, 3.1)
    left, right = figure.subplots(1, 2)
    plot_latency(table, left)
    plot_pareto(table, right)
    names = [f"{number}  {title}" for number, title in enumerate(table["title"], start=1)]
    figure.legend(
        [left.plot([], [], linestyle="none")[0] for _ in names],
        names,
        loc="outside right center",
        fontsize=SMALL,
        frameon=False,
        handlelength=0,
        handletextpad=0,
        labelspacing=0.35,
    )
    return figure


def plot_latency(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot latency per image in ms, with quartiles, against MACs in G. A ray from the origin is a constant speed.

    Args:
        table: as for `plot_speed`.
        axes: axes to draw into.

    Returns:
        The axes.
    """
    x = table["macs"] / 1e9
    y, low, high = (1000 * table[name] / table["batch"] for name in ("seconds", "low", "high"))
    rate = (
        table["macs"] * table["batch"] / table["seconds"]
    ).max() / 1e9  # speed of the fastest network, in G MACs per second
    end = 1.08 * x.max()
    fastest = f"{rate:.0f} G MACs a second, the most here"
    axes.plot([0, end], [0, 1000 * end / rate], color=GREY, linewidth=1, zorder=0, label=fastest)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left")
    axes.errorbar(x, y, yerr=[y - low, high - y], fmt="none", ecolor="0.5", elinewidth=0.8, capsize=1.5, zorder=1)
    _numbered_markers(axes, x, y, [True] * len(table))
    axes.set_xlim(0.9 * x.min() - 0.1, end)
    axes.set_ylim(0.8 * y.min(), 1.15 * high.max())
    return quiet(axes, "multiply-accumulates (G)", "latency (ms an image)", "MACs are not time")


def plot_pareto(table: pd.DataFrame, axes: Axes) -> Axes:
    """Plot published accuracy against measured latency, with the Pareto front.

    Args:
        table: as for `plot_speed`.
        axes: axes to draw into.

    Returns:
        The axes.
    """
    x, y = 1000 * table["seconds"] / table["batch"], table["published_accuracy"].astype(float)
    front = pareto_front(x.tolist(), y.tolist())
    points = sorted((x.iloc[i], y.iloc[i]) for i in front)
    axes.plot(
        *zip(*points, strict=True), color=ORANGE, linewidth=1.2, zorder=0, label="Pareto front", drawstyle="steps-post"
    )
    _numbered_markers(axes, x, y, [i in front for i in range(len(table))])
    axes.legend(fontsize=SMALL, frameon=False, loc="lower right")
    axes.margins(0.1)
    return quiet(axes, "latency measured here (ms an image)", "published top-1 (%), ImageNet-1K", "Accuracy for time")


def _numbered_markers(axes: Axes, x: pd.Series, y: pd.Series, filled: list[bool]) -> None:
    """Draw a marker for each row and its number next to it, at the candidate spot with the most room."""
    colours = [BLUE if fill else "white" for fill in filled]
    axes.scatter(x, y, s=14, c=colours, edgecolors=[BLUE], linewidths=0.8, zorder=2)
    width, height = x.max() - x.min() or 1.0, y.max() - y.min() or 1.0
    taken = [(a / width, b / height) for a, b in zip(x, y, strict=True)]
    for number, (a, b) in enumerate(zip(x, y, strict=True), start=1):
        spots = [
            (a / width + dx * r, b / height + dy * r) for r in (0.035, 0.055, 0.075, 0.1) for dx, dy in _DIRECTIONS
        ]
        marker = (a / width, b / height)
        best = max(spots, key=lambda spot: _room(spot, taken) - 0.2 * _distance(spot, marker))
        taken.append(best)
        axes.annotate(
            str(number), (a, b), (best[0] * width, best[1] * height), fontsize=SMALL, ha="center", va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.4, "color": "0.5", "shrinkA": 2, "shrinkB": 1.5},
        )  # fmt: skip


_DIRECTIONS = ((1, 0.6), (-1, 0.6), (1, -0.6), (-1, -0.6), (0, 1.2), (0, -1.2), (1.2, 0), (-1.2, 0))


def _room(spot: tuple[float, float], taken: list[tuple[float, float]]) -> float:
    """Return the distance to the nearest marker or number, capped where more distance no longer helps."""
    return min(0.045, *(_distance(spot, other) for other in taken))


def _distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(((a[0] - b[0]) ** 2 + ((a[1] - b[1]) / 1.2) ** 2) ** 0.5)


def plot_operators(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Plot the share of MACs and of time of each kind of layer side by side, one bar per network.

    Args:
        table: one row per network and kind of layer, with columns title, kind, macs and seconds.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure, with two axes over the same rows.
    """
    titles = list(dict.fromkeys(table["title"]))
    figure = figure or new_figure(PAGE_INCHES, 0.2 * len(titles) + 1.0)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, column, label in zip(
        panels, ("macs", "seconds"), ("share of MACs (%)", "share of time (%)"), strict=True
    ):
        left = pd.Series(0.0, index=titles)
        total = table.groupby("title")[column].sum()
        for kind, colour in zip(KINDS, PALETTE, strict=False):
            rows = table[table["kind"] == kind].set_index("title")[column]
            share = 100 * rows.reindex(titles).fillna(0) / total.reindex(titles)
            style = {"color": colour, "hatch": _KIND_HATCH[kind], "edgecolor": "white", "linewidth": 0.3}
            axes.barh(titles, share, left=left, height=0.74, label=kind, **style)
            left = left + share
        quiet(axes, label)
        axes.set_xlim(0, 100)
        axes.tick_params(axis="y", length=0)
        for text in axes.get_yticklabels():
            text.set_fontsize(TEXT)
    panels[0].invert_yaxis()
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
    return figure
