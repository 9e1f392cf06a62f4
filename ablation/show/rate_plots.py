"""Comparison of learning rates: the training loss of each, and its accuracy on held-out images."""

from __future__ import annotations

import itertools
import math

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .style import MARKERS, PAGE_INCHES, SMALL, TEXT, headline, new_figure, quiet

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
    panels = figure.subplots(rows_of_panels, 2, squeeze=False, sharey=True)
    axes = panels.flat
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
        quiet(ax, "epoch", "", title).xaxis.set_major_locator(MaxNLocator(integer=True))
        legend = ax.legend(fontsize=SMALL, frameon=False, title="learning rate: held-out top-1", title_fontsize=SMALL)
        for text, best in zip(legend.get_texts(), rows["best"], strict=True):
            text.set_fontweight("bold" if best else "normal")
    for ax in axes:  # panels that are not used
        ax.set_axis_off()
    for row in panels:
        row[0].set_ylabel("training loss", fontsize=TEXT)
    return headline(figure, rates_finding(table), _conditions(table))


def rates_finding(table: pd.DataFrame) -> str:
    """Return the best rate of each recipe, and whether it lies at an edge of the rates that were tried.

    >>> rows = {"member": "modern", "recipe": "micro-modern", "lr": [1.0, 2.0], "mean_accuracy": [50.0, 60.0]}
    >>> rates_finding(pd.DataFrame({**rows, "best": [False, True]}))
    'Best learning rate: micro-modern 2, the highest of 2'
    """
    parts = []
    for _, rows in table.groupby("member", sort=False):
        recipe, rates, best = rows["recipe"].iloc[0], sorted(set(rows["lr"])), rows[rows["best"]]
        if best.empty:
            parts.append(f"{recipe} none, all of {len(rates)} diverge")
            continue
        rate = best["lr"].iloc[0]
        edge = "the highest " if rate == rates[-1] else "the lowest " if rate == rates[0] else ""
        parts.append(f"{recipe} {rate:g}, {edge if len(rates) > 1 else ''}of {len(rates)}")
    return f"Best learning rate{'s' if len(parts) > 1 else ''}: {'; '.join(parts)}"


def _conditions(table: pd.DataFrame) -> str:
    """Return what was measured on what, as far as the table says it."""
    parts = [str(table["data"].iloc[0])] if "data" in table else []
    if "seed" in table:
        seeds = table["seed"].nunique()
        parts.append(f"{seeds} seed{'' if seeds == 1 else 's'}")
    return f"{'; '.join([*parts, 'bold'])}: the best mean over the networks of a recipe"
