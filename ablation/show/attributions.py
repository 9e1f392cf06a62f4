"""Figures of attributions: maps, completeness gaps, insertion and deletion curves, and weight randomisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from ..measure.faithfulness import Curves, Randomised
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
    new_figure,
    quiet,
    strip_axes,
)

Array = NDArray[np.float64]
Intervals = Callable[[Array], tuple[Array, Array, Array]]

_SIGNED, _UNSIGNED = "PuOr", "cividis"  # both are safe for readers with a colour-vision deficiency
_LETTERS_PER_INCH = 19  # of text in size SMALL
_TALLEST_INCHES = 8.0
_LAYOUT_RECT = (0.01, 0.005, 0.98, 0.99)  # left, bottom, width, height: leaves a margin so that no letter is cut off
_CLIP = 99.5  # percentile at which the colour scale ends, so that one outlier does not darken all other pixels


def plot_attributions(
    images: NDArray[np.float64],
    maps: Mapping[str, NDArray[np.float64]],
    signed: bool | Mapping[str, bool],
    titles: Sequence[str] = (),
    figure: Figure | None = None,
) -> Figure:
    """Plot the images in the first row, and the attributions of one network or method in each further row.

    Args:
        images: (N, H, W) or (N, H, W, 3), with pixel values from 0 to 1.
        maps: name of the row -> (N, H, W).
        signed: whether zero is the centre of the colour scale, for all rows or for each row.
        titles: N titles, one per column.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    count = len(images)
    panel = min(0.95, (PAGE_INCHES - 1.6) / count, _TALLEST_INCHES / (len(maps) + 1))
    figure = figure or new_figure(1.6 + panel * count, panel * (len(maps) + 1) + 0.45)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=0.012, h_pad=0.012, wspace=0, hspace=0, rect=_LAYOUT_RECT)
    panels = figure.subplots(len(maps) + 1, count, squeeze=False)
    for axes, image, title in zip(panels[0], images, [*titles, *[""] * count], strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="none")
        strip_axes(axes, title)
    _row_label(panels[0, 0], "image")
    for row, (name, values) in zip(panels[1:], maps.items(), strict=True):
        has_sign = signed if isinstance(signed, bool) else signed[name]
        for axes, value in zip(row, values, strict=True):
            plot_attribution(value, axes, has_sign)
        _row_label(row[0], name)
    caption = _colour_caption(maps, signed)
    figure.supxlabel(fill(caption, int(_LETTERS_PER_INCH * figure.get_figwidth())), fontsize=SMALL)
    return figure


def plot_attribution(values: NDArray[np.float64], axes: Axes, signed: bool) -> Axes:
    """Plot one map, with its colour scale ending at the map's 99.5th percentile.

    Args:
        values: (H, W).
        axes: axes to draw into.
        signed: whether zero is the centre of the colour scale.

    Returns:
        The axes.
    """
    top = float(np.percentile(np.abs(values), _CLIP)) or 1.0
    low, colours = (-top, _SIGNED) if signed else (0.0, _UNSIGNED)
    axes.imshow(values, cmap=colours, vmin=low, vmax=top, interpolation="none")
    return strip_axes(axes)


def _row_label(axes: Axes, name: str) -> None:
    axes.set_ylabel(name, fontsize=TEXT, rotation=0, ha="right", va="center", labelpad=4)


def _colour_caption(maps: Mapping[str, object], signed: bool | Mapping[str, bool]) -> str:
    """Return the sentence that explains the colours; it covers both scales if only some of the rows are signed."""
    for_signed = "purple speaks for the class, orange against it, white is zero"
    for_unsigned = "yellow weighs most, blue least"
    flags = {signed} if isinstance(signed, bool) else {signed[name] for name in maps}
    if len(flags) != 1:
        return f"signed rows: {for_signed}; others: {for_unsigned}. Each map on its own scale."
    return (for_signed if flags.pop() else for_unsigned).capitalize() + ". Each map on its own scale."


def plot_gaps(table: pd.DataFrame, figure: Figure | None = None) -> Figure:
    """Plot the completeness gap of every image in percent of the logit's increase, with the median, one row per rung.

    Args:
        table: one row per network and image, with columns title and gap (as a fraction; 0 means no gap).
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.
    """
    titles = list(dict.fromkeys(table["title"]))
    figure = figure or new_figure(COLUMN_INCHES, 0.19 * len(titles) + 0.9)
    axes = figure.subplots()
    rows = table["title"].map({title: row for row, title in enumerate(titles)})
    gap = 100 * table["gap"].clip(lower=1e-9)
    axes.scatter(gap, rows, s=5, color=GREY, linewidths=0, zorder=1, label="an image")
    medians = gap.groupby(rows).median()
    axes.scatter(medians, medians.index, s=18, marker="D", color=BLUE, linewidths=0, zorder=2, label="median")
    axes.axvline(1, color=ORANGE, linewidth=1, linestyle="--", zorder=0, label="1 %")
    axes.set_xscale("log")
    axes.set_yticks(range(len(titles)), titles)
    axes.invert_yaxis()
    quiet(axes, "completeness gap (%)")
    axes.tick_params(axis="y", length=0, labelsize=TEXT)
    figure.legend(loc="outside lower center", ncols=3, fontsize=SMALL, frameon=False)
    return figure


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
            axes.fill_between(100 * entry.shares, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0)
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
    return figure


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
