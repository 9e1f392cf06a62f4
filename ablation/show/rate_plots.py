"""Comparison of learning rates: the training loss of each, and its accuracy on held-out images."""

from __future__ import annotations

import itertools
import math

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import MARKERS, PAGE_INCHES, SMALL, new_figure, quiet

_PANEL_INCHES = 2.3


def plot_rates(table: pd.DataFrame, titles: dict[tuple[str, str], str], figure: Figure | None = None) -> Figure:
    """Plot the training loss against the epoch for each learning rate, one panel per network.

    Args:
        table: from `ablation.evidence.rate_table.rate_table`.
        titles: (recipe member, rung) -> title of its panel, in order.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure. Each legend gives the held-out accuracies. The rate with the best mean over the networks of its recipe is
        bold.
    """
    rows_of_panels = (len(titles) + 1) // 2
    figure = figure or new_figure(PAGE_INCHES, _PANEL_INCHES * rows_of_panels)
    axes = figure.subplots(rows_of_panels, 2, squeeze=False).flat
    for ax, ((member, rung), title) in zip(axes, titles.items(), strict=False):
        rows = table[(table["member"] == member) & (table["rung"] == rung)]
        texts = [text.split() for text in rows["train_losses"]]
        entries = zip(rows["lr"], rows["held_out_accuracy"], texts, strict=True)
        for (rate, accuracy, losses), colour, marker in zip(
            entries, sns.color_palette("viridis", len(rows)), itertools.cycle(MARKERS), strict=False
        ):
            label = f"{rate:g}: " + ("diverged" if math.isnan(accuracy) else f"{accuracy:.1f} %")
            ax.plot(
                range(1, len(losses) + 1),
                list(map(float, losses)),
                color=colour,
                marker=marker,
                ms=3,
                lw=1,
                label=label,
            )
        quiet(ax, "epoch", "training loss", title).xaxis.set_major_locator(MaxNLocator(integer=True))
        legend = ax.legend(fontsize=SMALL, frameon=False, title="learning rate: held-out top-1", title_fontsize=SMALL)
        for text, best in zip(legend.get_texts(), rows["best"], strict=True):
            text.set_fontweight("bold" if best else "normal")
    for ax in axes:  # panels that are not used
        ax.set_axis_off()
    return figure
