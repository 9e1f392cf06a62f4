"""Figures of how faithful attributions are: completeness gaps, insertion and deletion curves, and weight randomisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray

from ..measure.faithfulness import Curves, Randomised
from .attribution_maps import plot_attribution, plot_attributions
from .style import (
    BLUE,
    COLUMN_INCHES,
    GREY,
    MARKERS,
    ORANGE,
    PAGE_INCHES,
    PALETTE,
    SMALL,
    TEXT,
    headline,
    new_figure,
    quiet,
)

__all__ = ["plot_attribution", "plot_attributions", "plot_curves", "plot_gaps", "plot_randomisation"]

Array = NDArray[np.float64]
Intervals = Callable[[Array], tuple[Array, Array, Array]]

_LOG_LEAST = 1e-9  # percent; a gap of zero has no place on a logarithmic axis
_JUMP = 10.0  # times that a median must change to be named


def plot_gaps(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Plot the completeness gap of every image in percent of the logit's increase, with the median, one row per rung.

    Args:
        table: one row per network and image, with columns title and gap (as a fraction; 0 means no gap).
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    titles = list(dict.fromkeys(table["title"]))
    figure = figure or new_figure(0.75 * PAGE_INCHES, 0.19 * len(titles) + 0.85)
    axes = figure.subplots()
    rows = table["title"].map({title: row for row, title in enumerate(titles)})
    gap = 100 * table["gap"].clip(lower=_LOG_LEAST / 100)
    axes.scatter(gap, rows, s=5, color=GREY, linewidths=0, zorder=1, label="an image")
    medians = gap.groupby(rows).median()
    axes.scatter(medians, medians.index, s=18, marker="D", color=BLUE, linewidths=0, zorder=2, label="median")
    axes.axvline(1, color=ORANGE, linewidth=1, linestyle="--", zorder=0, label="1 %")
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(range(len(titles)), titles)
    axes.set_ylim(len(titles) - 0.5, -0.5)
    quiet(axes, "completeness gap (%)")
    axes.tick_params(axis="y", length=0, labelsize=TEXT)
    figure.legend(loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False)
    return headline(figure, gaps_finding(table), f"{_images(len(table) // max(1, len(titles)))} a row")


def gaps_finding(table: pd.DataFrame) -> str:
    """Return how large the median gaps are, and which row changes it tenfold or more.

    >>> table = pd.DataFrame({"title": ["ReLU", "GELU"], "gap": [0.01, 0.00001]})
    >>> gaps_finding(table)
    'At GELU the median gap falls from 1 % to 0.001 %'
    >>> gaps_finding(table.assign(gap=0.02))
    'The median gap is 2 % in every row'
    """
    medians = 100 * table.groupby("title", sort=False)["gap"].median()
    known = medians.clip(lower=_LOG_LEAST)
    factors = (known / known.shift()).dropna()
    jumps = factors.map(lambda factor: abs(float(np.log10(factor))))
    if len(jumps) and jumps.max() >= np.log10(_JUMP):
        place = int(jumps.argmax()) + 1  # the first row has none before it
        before, after = float(medians.iloc[place - 1]), float(medians.iloc[place])
        verb = "falls" if after < before else "rises"
        return f"At {medians.index[place]} the median gap {verb} from {_plain(before)} % to {_plain(after)} %"
    low, high = _plain(medians.min()), _plain(medians.max())
    return f"The median gap is {low} %" + (" in every row" if low == high else f" to {high} %")


def _plain(value: float) -> str:
    """Format a number with two significant digits and without an exponent."""
    return np.format_float_positional(value, 2, unique=False, fractional=False, trim="-")


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


def plot_curves(curves: Mapping[str, Curves], intervals: Intervals, figure: Figure | None = None) -> Figure:
    """Plot insertion and deletion curves: the mean over images with its 95 % interval, and the area in the legend.

    Args:
        curves: name -> the result of `insertion_deletion`.
        intervals: returns mean, standard deviation and half-width of the interval of each sample (samples, n), as
            `evidence.intervals.mean_intervals` does; where the half-width is NaN, as of one image, no band is drawn.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure, with two axes.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.5 + 0.13 * len(curves))
    panels = figure.subplots(1, 2, sharey=True)
    for axes, kind, better in zip(panels, ("insertion", "deletion"), ("higher", "lower"), strict=True):
        for (name, entry), colour, marker in zip(curves.items(), PALETTE, MARKERS, strict=False):
            values, areas = getattr(entry, kind), getattr(entry, f"{kind}_area")
            mean, _, half = intervals(values.T)
            every = max(1, len(mean) // 10)
            axes.fill_between(100 * entry.shares, mean - half, mean + half, color=colour, alpha=0.12, linewidth=0)
            axes.plot(
                100 * entry.shares, mean, color=colour, marker=marker, markersize=3, markevery=every, linewidth=1.2,
                label=f"{name}: area {areas.mean():.2f}",
            )  # fmt: skip
        quiet(
            axes, f"pixels {'put in' if kind == 'insertion' else 'taken out'} (%)", title=f"{kind} ({better} is better)"
        )
        axes.legend(fontsize=SMALL, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.2))
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 1.02)
    panels[0].set_ylabel("probability of the class", fontsize=TEXT)
    images = len(next(iter(curves.values())).insertion)
    note = f"mean over {_images(images)}" + (" with its 95 % interval" if images > 1 else "")
    return headline(figure, curves_finding(curves, intervals), note)


def curves_finding(curves: Mapping[str, Curves], intervals: Intervals) -> str:
    """Return which curve is best by insertion and by deletion, where its interval and that of the worst are apart."""
    parts = []
    for kind, sign in (("insertion", 1), ("deletion", -1)):
        areas = np.stack([getattr(entry, f"{kind}_area") for entry in curves.values()])
        mean, _, half = intervals(areas)
        order = np.argsort(-sign * mean)
        best, worst = int(order[0]), int(order[-1])
        names = list(curves)
        if len(names) == 1:
            parts.append(f"{kind} area {mean[0]:.2f}")
        elif sign * (mean[best] - mean[worst]) > half[best] + half[worst]:  # False where an interval is unknown
            parts.append(
                f"{kind} is best for {names[best]} ({mean[best]:.2f}) and worst for {names[worst]} ({mean[worst]:.2f})"
            )
        else:
            parts.append(f"{kind} is undecided between {len(names)} curves")
    found = "; ".join(parts)
    return found[0].upper() + found[1:]


def plot_randomisation(results: Mapping[str, Sequence[Randomised]], axes: Axes | None = None) -> Axes:
    """Plot how similar maps remain as weights are randomised from the top down; maps near 1 do not depend on the weights.

    Args:
        results: name -> the result of `weight_randomisation`; all with the same parts.
        axes: axes to draw into; new axes by default.

    Returns:
        The axes.
    """
    axes = axes or new_figure(COLUMN_INCHES, 2.6).subplots()
    for (name, steps), colour, marker in zip(results.items(), PALETTE, MARKERS, strict=False):
        means = [float(np.nanmean(step.similarity)) if np.isfinite(step.similarity).any() else np.nan for step in steps]
        axes.plot(range(len(steps)), means, color=colour, marker=marker, markersize=3.5, linewidth=1.2, label=name)
    parts = [step.part or "none" for step in next(iter(results.values()))]
    axes.set_xticks(range(len(parts)), parts, rotation=35, ha="right")
    axes.axhline(0, color=GREY, linewidth=0.8, zorder=0)
    axes.legend(fontsize=SMALL, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return quiet(axes, "randomised from the top down to", "rank correlation with the true map")
