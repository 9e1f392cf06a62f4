"""Learning rates side by side: the training loss of each, and what it scores on held-out images."""

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
    """Draw the training loss over the epochs at each learning rate, a panel a network.

    Args:
        table: from `ablation.evidence.rate_table.rate_table`.
        titles: of the panels, in order, by recipe member and rung.
        figure: to draw into; a new one by default.

    Returns:
        The figure. Each legend gives the held-out accuracy; the rate with the best mean over its recipe's networks is bold.
    """
    lines = (len(titles) + 1) // 2
    figure = figure or new_figure(PAGE_INCHES, _PANEL_INCHES * lines)
    axes = figure.subplots(lines, 2, squeeze=False).flat
    for ax, ((member, rung), title) in zip(axes, titles.items(), strict=False):
        rows = table[(table["member"] == member) & (table["rung"] == rung)]
        texts = [text.split() for text in rows["train_losses"]]
        about = zip(rows["lr"], rows["held_out_accuracy"], texts, strict=True)
        for (rate, accuracy, losses), colour, marker in zip(
            about, sns.color_palette("viridis", len(rows)), itertools.cycle(MARKERS), strict=False
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
    for ax in axes:  # what is left over
        ax.set_axis_off()
    return figure
