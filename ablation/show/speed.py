"""Figures of cost and time: latency of each rung, the Pareto front of accuracy and latency, and time by kind of layer."""

from __future__ import annotations

import itertools

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import unknown
from ..measure.breakdown import KINDS
from .front import pareto_front
from .name_points import name_points
from .style import BLUE, GREY, HATCH, ORANGE, PAGE_INCHES, PALETTE, SMALL, TEXT, headline, new_figure, quiet

_COST_LABELS = {  # label of the axis, title
    "latency": ("latency measured here (ms per image)", "Accuracy for time"),
    "MACs": ("multiply-accumulates (G)", "Accuracy for MACs"),
    "parameters": ("parameters (M)", "Accuracy for parameters"),
}
_ELEMENTWISE = KINDS[-3:]  # norm, activation, other
_KIND_HATCH = dict(zip(KINDS, ("", "", "", "", HATCH, "....", "xxxx"), strict=True))


def plot_speed(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Plot latency against MACs, and published accuracy against latency with the Pareto front, with names at the points.

    Args:
        table: one row per network, with columns title, macs, batch, published_accuracy in percent, and seconds, low and
            high of one call.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure, with two axes.
    """
    figure = figure or new_figure(PAGE_INCHES, 3.9)
    left, right = figure.subplots(1, 2)
    headline(figure, speed_finding(table), _conditions(table))
    plot_latency(table, left)
    plot_pareto(table, right)
    return figure


def speed_finding(table: pd.DataFrame) -> str:
    """Return how much the time of a multiply-accumulate differs between networks, and how many are on the Pareto front.

    >>> rows = {"title": ["a", "b"], "macs": [10, 20], "seconds": [1.0, 4.0], "low": [0.9, 3.9], "high": [1.1, 4.1]}
    >>> speed_finding(pd.DataFrame({**rows, "batch": 1, "published_accuracy": [70.0, 71.0]}))
    'MACs are not time: one MAC takes 2.0 times as long in b as in a; 2 of 2 networks are Pareto-optimal'
    """
    per_mac = table["seconds"] / table["macs"]
    slow, fast = (table.iloc[int(place)] for place in (per_mac.argmax(), per_mac.argmin()))
    front = len(pareto_front((table["seconds"] / table["batch"]).tolist(), table["published_accuracy"].tolist()))
    on = f"{front} of {len(table)} networks {'is' if front == 1 else 'are'} Pareto-optimal"
    if slow["low"] / slow["macs"] <= fast["high"] / fast["macs"]:  # quartiles overlap
        return f"Whether a MAC takes longer in some networks is undecided; {on}"
    ratio = per_mac.max() / per_mac.min()
    return f"MACs are not time: one MAC takes {ratio:.1f} times as long in {slow['title']} as in {fast['title']}; {on}"


def _conditions(table: pd.DataFrame) -> str:
    """Return what was timed, as far as the table says it."""
    first = table.iloc[0]
    parts = [f"{first['size']} px" if "size" in table else "", f"batch {first['batch']}"]
    if "precision" in table:
        parts += [f"{first['memory_format']}, {first['precision']}"]
    if "device" in table:
        threads = f", {int(first['threads'])} threads" if first["device"] == "cpu" and "threads" in table else ""
        parts += [f"{first['device']}{threads}"]
    return (
        f"{'; '.join(filter(None, parts))}. Median of the calls, with quartiles on the left; accuracies are the paper's"
    )


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
    across = x.max() - x.min() or 1.0
    left, end = max(0.0, x.min() - 0.2 * across), x.max() + 0.5 * across
    fastest = f"{rate:.0f} G MACs per second, the most here"
    axes.plot([0, end], [0, 1000 * end / rate], color=GREY, linewidth=1, zorder=0, label=fastest)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left")
    axes.errorbar(x, y, yerr=[y - low, high - y], fmt="none", ecolor="0.6", elinewidth=0.8, zorder=1)
    axes.scatter(x, y, s=16, color=BLUE, linewidths=0, zorder=2)
    axes.set_xlim(left, end)
    axes.set_ylim(0.8 * y.min(), 1.15 * high.max())
    quiet(axes, "multiply-accumulates (G)", "latency (ms per image)", "Latency against cost")
    name_points(axes, x.tolist(), y.tolist(), table["title"].tolist())
    return axes


def plot_pareto(table: pd.DataFrame, axes: Axes, cost: str = "latency") -> Axes:
    """Plot published accuracy against a cost, with the Pareto front.

    Args:
        table: as for `plot_speed`; with params where the cost is "parameters".
        axes: axes to draw into.
        cost: "latency", "MACs" or "parameters".

    Returns:
        The axes.
    """
    x, y = costs(table, cost), table["published_accuracy"].astype(float)
    front = pareto_front(x.tolist(), y.tolist())
    points = sorted((x.iloc[i], y.iloc[i]) for i in front)
    axes.plot(
        *zip(*points, strict=True), color=ORANGE, linewidth=1.2, zorder=0, label="Pareto front", drawstyle="steps-post"
    )
    faces = [BLUE if i in front else "white" for i in range(len(table))]
    axes.scatter(x, y, s=16, c=faces, edgecolors=[BLUE], linewidths=0.9, zorder=2)
    axes.legend(fontsize=SMALL, frameon=False, loc="lower right")
    across, up = x.max() - x.min() or 1.0, y.max() - y.min() or 1.0
    axes.set_xlim(x.min() - 0.1 * across, x.max() + 0.25 * across)
    axes.set_ylim(y.min() - 0.12 * up, y.max() + 0.08 * up)
    label, title = _COST_LABELS[cost]
    quiet(axes, label, "published top-1 (%), ImageNet-1K", title)
    corners = [(points[0][0], points[0][1])]
    for before, after in itertools.pairwise(points):
        corners += [(after[0], before[1]), after]
    name_points(axes, x.tolist(), y.tolist(), table["title"].tolist(), corners)
    return axes


def plot_front(table: pd.DataFrame, cost: str) -> tuple[Figure, list[str]]:
    """Plot published accuracy against one cost, with the Pareto front; return the titles on it, too, from cheap to expensive.

    Args: as for `plot_pareto`.
    """
    figure = Figure(figsize=(PAGE_INCHES, 3.2))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.08, right=0.99, bottom=0.14, top=0.92)
    plot_pareto(table, axes, cost)
    x = costs(table, cost)
    front = pareto_front(x.tolist(), table["published_accuracy"].astype(float).tolist())
    return figure, [table["title"].iloc[i] for i in sorted(front, key=x.iloc.__getitem__)]


def costs(table: pd.DataFrame, cost: str) -> pd.Series:
    """Return a column of costs: latency in ms per image, MACs in G or parameters in M.

    Raises:
        AblationError: if there is no such cost.
    """
    if cost not in _COST_LABELS:
        raise unknown("cost", cost, _COST_LABELS)
    if cost == "latency":
        return 1000 * table["seconds"] / table["batch"]
    return table["macs"] / 1e9 if cost == "MACs" else table["params"] / 1e6


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
    panels[0].set_ylim(len(titles) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=SMALL, frameon=False)
    return headline(figure, operators_finding(table))


def operators_finding(table: pd.DataFrame) -> str:
    """Return how much of the time is spent on layers that have next to no MACs.

    >>> rows = {"title": 2 * ["a"] + 2 * ["b"], "kind": 2 * ["pointwise", "norm"], "macs": [9, 0, 9, 0]}
    >>> operators_finding(pd.DataFrame({**rows, "seconds": [3.0, 1.0, 1.0, 1.0]}))
    'Norms, activations and other layers have 0 % of the MACs and take 25 to 50 % of the time'
    """
    rest = table["kind"].isin(_ELEMENTWISE)
    shares = {}
    for column in ("macs", "seconds"):
        total = table.groupby("title")[column].sum()
        shares[column] = 100 * table[rest].groupby("title")[column].sum().reindex(total.index).fillna(0) / total
    return (
        f"Norms, activations and other layers have {_span(shares['macs'])} % of the MACs "
        f"and take {_span(shares['seconds'])} % of the time"
    )


def _span(values: pd.Series) -> str:
    low, high = f"{values.min():.0f}", f"{values.max():.0f}"
    return low if low == high else f"{low} to {high}"
