"""The roadmap figure, after figure 2 of the paper: one accuracy bar per row, with its MACs to the right."""

from __future__ import annotations

import textwrap
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from .style import BLUE, GREY, HATCH, PAGE_INCHES, SMALL, TEXT, new_figure

_ROW_INCHES = 0.25
_TITLE_LETTERS = 38  # per line of a panel's title, so that it ends before the heading of the next column


def plot_roadmap(table: pd.DataFrame, data_label: str, figure: Figure | None = None) -> Figure:
    """Plot a ladder: accuracies measured here on the left, accuracies published in the paper on the right.

    Args:
        table: from `ablation.evidence.ladder_table.ladder_table`.
        data_label: name of the training data, for the title.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure, with two axes over the same rows.
    """
    height = _ROW_INCHES * len(table) + 1.3
    figure = figure or new_figure(PAGE_INCHES, height)
    ours, paper = figure.subplots(1, 2, sharey=True)
    n = sorted(set(table["n"]))
    count = str(n[0]) if len(n) == 1 else f"{n[0]} to {n[-1]}"
    seeds = f"{count} seed" if n[-1] == 1 else f"{count} seeds"
    _bars(ours, table, "accuracy", "accuracy_half", BLUE)
    _seed_dots(ours, table)
    rates = dict.fromkeys(table["rates"]) if "rates" in table else ()
    title = f"{', '.join(['Measured here', seeds, *rates])}\n{textwrap.fill(data_label, _TITLE_LETTERS)}"
    labels = [f"{macs}  {verdict}" for macs, verdict in zip(_macs_labels(table["macs"]), table["verdict"], strict=True)]
    _label_panel(ours, title, labels, "MACs, verdict")
    _bars(paper, table, "published_accuracy", "published_std", GREY)
    _label_panel(paper, "Published\nImageNet-1K", [f"{value:.2f} G" for value in table["published_gmacs"]], "“FLOPs”")
    ours.set_yticks(range(len(table)), table["title"], fontsize=TEXT)
    ours.invert_yaxis()
    handles = [
        Patch(facecolor=BLUE, label="measured here, mean and 95 % interval; dots are seeds"),
        Patch(facecolor=GREY, label="published, mean ± std"),
        Patch(facecolor="white", edgecolor="black", hatch=HATCH, label="tried, not kept"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False)
    return figure


def _bars(axes: Axes, table: pd.DataFrame, column: str, error: str, colour: tuple[float, float, float]) -> None:
    """Draw one bar per row from the left edge, with its error and value, hatched where the paper did not keep the step."""
    values, errors = table[column].astype(float), table[error].astype(float)
    if values.isna().all():  # every trial diverged
        axes.set_xlim(0, 100)
        return
    spread = errors.fillna(0)
    low = (values - spread).min()
    high = min((values + spread).max(), 100.0)  # an interval may extend above 100 %, an accuracy cannot
    extent = max(high - low, 1.0)
    left = max(0.0, 5 * ((low - 0.15 * extent) // 5) if extent > 5 else low - 0.3 * extent)
    bars = axes.barh(range(len(table)), values - left, left=left, height=0.72, color=colour)
    for bar, adopted in zip(bars, table["adopted"], strict=True):
        if not adopted:
            bar.set(facecolor="white", edgecolor=colour, hatch=HATCH)
    known = errors.notna()
    axes.errorbar(
        values[known], values.index[known], xerr=errors[known], fmt="none", ecolor="black", elinewidth=0.8, capsize=1.5
    )
    for row, value in enumerate(values):
        if pd.notna(value):
            axes.text(left + 0.012 * extent, row, f"{value:.1f}" if extent > 10 else f"{value:.2f}", **_label("left"))
    axes.set_xlim(left, min(high + 0.08 * extent, max(100.0, values.max() + 0.02 * extent)))


def _seed_dots(axes: Axes, table: pd.DataFrame) -> None:
    points = [
        (float(value), row)
        for row, values in enumerate(table["accuracies"])
        for value in str(values).split()
        if table["n"].iloc[row]
    ]
    if points:
        x, y = zip(*points, strict=True)
        axes.scatter(x, y, s=5, facecolor="white", edgecolor="black", linewidth=0.4, zorder=3)


def _label_panel(axes: Axes, title: str, labels: list[str], heading: str) -> None:
    """Set title and axis labels, and write the MACs in a separate column to the right of the bars."""
    for row, label in enumerate(labels):
        axes.text(1.02, row, label, transform=axes.get_yaxis_transform(), fontsize=SMALL, va="center")
    axes.text(1.02, -1.0, heading, transform=axes.get_yaxis_transform(), fontsize=SMALL, va="center", weight="bold")
    axes.set_title(title, fontsize=TEXT, loc="left")
    axes.set_xlabel(f"top-1 accuracy (%), axis from {axes.get_xlim()[0]:.3g}", fontsize=TEXT)
    axes.tick_params(labelsize=SMALL, left=False)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    sns.despine(ax=axes, left=True)


def _label(align: str) -> dict[str, Any]:
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}
    return {"fontsize": SMALL, "va": "center", "ha": align, "bbox": box}


def _macs_labels(macs: pd.Series) -> list[str]:
    unit, divisor = ("G", 1e9) if macs.max() >= 1e9 else ("M", 1e6)
    return [f"{value / divisor:.2f} {unit}" for value in macs]
