"""When does a step pay? Heat maps of its contrast over numbers of images, resolutions and epochs."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from .style import COLUMN_INCHES, PAGE_INCHES, SMALL, TEXT, colour_bar, headline, new_figure, wrap

COLOURS = "RdBu"  # red below zero, blue above; told apart with every kind of colour blindness
_UNITS = {"images": "training images", "size": "image size (px)", "epochs": "epochs"}
_CELL_INCHES = (0.72, 0.36)
_MARGIN_INCHES = (0.95, 0.85)  # of a panel, for labels and title
_BAR_INCHES = 0.7
_LEAST_LIMIT = 2.0  # points at the ends of the colour scale, so that differences of tenths of a point stay pale
_FOUND = ("agrees", "reverses", "differs")


def plot_grid(table: pd.DataFrame, data_label: str, figure: Figure | None = None) -> Figure:
    """Plot the contrast of each step in each cell of a grid, one heat map per step.

    A cell gives the difference in points with the half-width of its 95 % interval, and the verdict; differences that are found
    after Holm's correction are bold.

    Args:
        table: from `ablation.evidence.grid_table.grid_table`.
        data_label: name of the training data and the recipe, for the title.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure. Its title says how many differences are found, that of each panel where the step pays.
    """
    varied = [name for name in _UNITS if table[name].nunique() > 1] or ["images"]
    across, down = varied[0], varied[1:]
    columns = list(dict.fromkeys(table[across]))
    rows = list(dict.fromkeys(tuple(row[name] for name in down) for row in table.to_dict("records")))
    names = list(dict.fromkeys(table["step"]))
    width = len(columns) * _CELL_INCHES[0] + _MARGIN_INCHES[0]
    in_row = min(len(names), max(1, int((PAGE_INCHES - _BAR_INCHES) // width)))
    lines, needed = math.ceil(len(names) / in_row), in_row * width + _BAR_INCHES
    page = COLUMN_INCHES if needed <= COLUMN_INCHES else max(PAGE_INCHES, needed)
    figure = figure or new_figure(page, lines * (len(rows) * _CELL_INCHES[1] + _MARGIN_INCHES[1]) + 0.1)
    axes = figure.subplots(lines, in_row, squeeze=False)
    limit = np.nanmax([_LEAST_LIMIT, table["difference"].abs().max()])
    page = figure.get_figwidth()
    width = (page - _BAR_INCHES) / in_row - 0.2
    for ax, name in zip(axes.flat, names, strict=False):
        own = table[table["step"] == name]
        _panel(ax, own, across, down, columns, rows, limit)
        ax.set_title(f"{own['title'].iloc[0]}\n{wrap(finding(own), width, TEXT)}", fontsize=TEXT, loc="left")
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    scale = ScalarMappable(Normalize(-limit, limit), COLOURS)
    colour_bar(figure, scale, axes, "difference (points)", fraction=0.03, pad=0.01, aspect=30)
    return headline(figure, *_headline(table, data_label, varied))


def finding(rows: pd.DataFrame) -> str:
    """Return in how many cells a step pays, costs, or makes no difference, next to what it does in the paper.

    Args:
        rows: the rows of one step, from `ablation.evidence.grid_table.grid_table`.

    >>> found = {"difference": [2.0, -1.0, 0.1], "verdict": ["agrees", "reverses", "undecided"], "published_sign": 1}
    >>> finding(pd.DataFrame(found))
    'pays in 1 of 3 cells, costs in 1, undecided in 1; in the paper it pays'
    """
    found, cells = rows["verdict"].isin(_FOUND), "1 cell" if len(rows) == 1 else f"{len(rows)} cells"
    counts = {
        "pays": found & (rows["difference"] > 0),
        "costs": found & (rows["difference"] < 0),
        "equivalent": rows["verdict"] == "equivalent",
        "undecided": rows["verdict"] == "undecided",
        "no verdict": rows["verdict"] == "",
    }
    (first, most), *others = [(word, int(those.sum())) for word, those in counts.items() if those.any()]
    text = ", ".join([f"{first} in {most} of {cells}", *(f"{word} in {count}" for word, count in others)])
    paper = {1: "it pays", -1: "it costs", 0: "no difference"}[int(rows["published_sign"].iloc[0])]
    return f"{text}; in the paper {paper}"


def _panel(
    ax: Axes,
    own: pd.DataFrame,
    across: str,
    down: list[str],
    columns: list[object],
    rows: list[tuple[object, ...]],
    limit: float,
) -> None:
    """Draw the heat map of one step."""
    shape = (len(rows), len(columns))
    values, texts = np.full(shape, np.nan), np.full(shape, "", dtype=object)
    bold = np.zeros(shape, dtype=bool)
    for row in own.to_dict("records"):
        place = rows.index(tuple(row[name] for name in down)), columns.index(row[across])
        values[place], texts[place], bold[place] = row["difference"], _cell_text(row), row["verdict"] in _FOUND
    sns.heatmap(
        values, ax=ax, cmap=COLOURS, vmin=-limit, vmax=limit, annot=texts, fmt="", cbar=False,
        linewidths=0.8, linecolor="white", annot_kws={"fontsize": SMALL, "linespacing": 1.25},
        xticklabels=[_number(value) for value in columns], yticklabels=[_row_label(down, row) for row in rows],
    )  # fmt: skip
    drawn = {(float(text.get_position()[1]), float(text.get_position()[0])): text for text in ax.texts}
    ax.set_facecolor("0.92")  # of cells without a difference
    for (i, j), text in np.ndenumerate(texts):
        if np.isnan(values[i, j]):
            ax.text(j + 0.5, i + 0.5, text, fontsize=SMALL, ha="center", va="center", linespacing=1.25)
        elif bold[i, j]:
            drawn[i + 0.5, j + 0.5].set_fontweight("bold")
    ax.set_xlabel(_UNITS[across], fontsize=SMALL)
    ax.tick_params(labelsize=SMALL, length=0)
    ax.tick_params(axis="y", labelrotation=0)


def _cell_text(row: Mapping[Hashable, Any]) -> str:
    """Return the two lines of a cell: the difference, and the verdict or why there is none."""
    value, half, below = row["difference"], row["difference_half"], row["verdict"]
    if not below:
        below = f"{row['diverged']} diverged" if row["diverged"] else f"n = {row['n']}"
    if math.isnan(value):
        return f"unknown\n{below}"
    return (f"{value:+.1f}" if math.isnan(half) else f"{value:+.1f} ± {half:.1f}") + f"\n{below}"


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _row_label(names: list[str], row: tuple[object, ...]) -> str:
    units = {"size": "px", "epochs": "epochs", "images": "images"}
    return ", ".join(f"{_number(value)} {units[name]}" for name, value in zip(names, row, strict=True))


def _headline(table: pd.DataFrame, data_label: str, varied: list[str]) -> tuple[str, str]:
    """Return how many differences are found, and on what."""
    found = table["verdict"].isin(_FOUND)
    pays, costs = (int((found & (table["difference"] * sign > 0)).sum()) for sign in (1, -1))
    constant = [_row_label([name], (table[name].iloc[0],)) for name in _UNITS if name not in varied]
    n = sorted({int(count) for count in table["n"]})
    seeds = f"n = {n[0]}" if len(n) == 1 else f"n = {n[0]} to {n[-1]}"
    of = "1 difference" if len(table) == 1 else f"{len(table)} differences"
    return (
        f"When does a step pay? {found.sum()} of {of} found after correction for all of them (bold): {pays} up, {costs} down",
        f"{', '.join([data_label, *constant])}; {seeds}; ± half-width of the 95 % interval",
    )
