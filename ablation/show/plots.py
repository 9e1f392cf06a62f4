"""The roadmap figure, after figure 2 of the paper: one dot per row, measured here and published, on one axis."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from .style import GREY, PAGE_INCHES, QUIET, SMALL, TEXT, headline, new_figure
from .verdict_marks import LOOKS, START, draw_mark, ladder_finding, legend_marks

_ROW_INCHES = 0.21
_REFERENCE = "enhanced_recipe"  # the row that both ladders are compared with
_REACH = 8.0  # points beyond the outermost mean; where an interval is longer, an arrow says so
_PAPER = (0.15, 0.15, 0.15)
_HEADING = -1.0  # row of the headings of columns
_COLUMN_POINTS = (33, 67)  # right edges of the columns of accuracies and costs, from the edge of the axes


def plot_roadmap(table: pd.DataFrame, data_label: str, figure: Figure | None = None) -> Figure:
    """Plot a ladder: accuracies measured here on the left, accuracies published in the paper on the right.

    Both are drawn as points above the ResNet with the enhanced recipe of the same ladder, on the same axis, so that a step has
    the same length in both. The mark of a row says whether its step agrees with the paper.

    Args:
        table: from `ablation.evidence.ladder_table.ladder_table`.
        data_label: name of the training data, for the title.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure, with two axes over the same rows.
    """
    figure = figure or new_figure(PAGE_INCHES, _ROW_INCHES * len(table) + 0.95)
    ours, paper = figure.subplots(1, 2, sharey=True, sharex=True)
    reference = _reference(table)
    halves = table["accuracy_half"].astype(float)
    points = _points(table, "accuracy", reference)
    published = _points(table, "published_accuracy", reference)
    limits = _limits(points, halves, published)
    verdicts = [START, *table["verdict"].iloc[1:]]
    _draw_road(ours, points, table["adopted"])
    _draw_intervals(ours, points, halves, [LOOKS[verdict].colour for verdict in verdicts], limits)
    for row, (point, verdict) in enumerate(zip(points, verdicts, strict=True)):
        if pd.notna(point):
            draw_mark(ours, point, row, verdict)
    _draw_road(paper, published, table["adopted"])
    _draw_intervals(paper, published, table["published_std"].astype(float), [_PAPER] * len(table), limits)
    for face, rows in ((_PAPER, table["adopted"]), ("white", ~table["adopted"])):
        paper.plot(
            published[rows], published.index[rows], linestyle="", marker="o", ms=4, color=_PAPER, mfc=face, zorder=4
        )
    unit, divisor = ("G", 1e9) if table["macs"].max() >= 1e9 else ("M", 1e6)
    records = table.to_dict("records")
    here = [(_number(row["accuracy"], 1, row["diverged"]), f"{row['macs'] / divisor:.2f} {unit}") for row in records]
    there = [(_number(row["published_accuracy"], 2), _gmacs(row["published_gmacs"])) for row in records]
    _finish(ours, "measured here", here, "MACs", reference, table)
    _finish(paper, "published, ImageNet-1K", there, "“FLOPs”", reference, table)
    ours.set_xlim(*limits)
    ours.set_yticks(range(len(table)), [_title(row) for row in records], fontsize=TEXT)
    for label, adopted in zip(ours.get_yticklabels(), table["adopted"], strict=True):
        label.set_color("black" if adopted else QUIET)
    ours.set_ylim(len(table) - 0.4, -0.6)
    drawn = [verdict for verdict, point in zip(verdicts, points, strict=True) if pd.notna(point)]
    handles = [
        *legend_marks(drawn),
        Line2D([], [], color=GREY, linewidth=1.2, label="kept rows"),
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=5, fontsize=SMALL, frameon=False, handletextpad=0.3,
        columnspacing=1.4,
    )  # fmt: skip
    return headline(figure, ladder_finding(table, data_label), f"{data_label}; {_conditions(table)}")


def _reference(table: pd.DataFrame) -> int | None:
    """Return the row that accuracies are compared with: the enhanced recipe, or else the first one that has an accuracy."""
    known = table.index[table["accuracy"].notna()]
    wanted = [row for row in known if table["rung"][row] == _REFERENCE]
    return next(iter([*wanted, *known]), None)


def _points(table: pd.DataFrame, column: str, reference: int | None) -> pd.Series:
    values = table[column].astype(float)
    return values if reference is None else values - values[reference]


def _limits(points: pd.Series, halves: pd.Series, published: pd.Series) -> tuple[float, float]:
    """Return the ends of the axis: all means, and intervals up to a length beyond which an arrow says that they go on."""
    spread = halves.fillna(0).clip(upper=_REACH)
    low, high = pd.concat([points - spread, published]).min(), pd.concat([points + spread, published]).max()
    if pd.isna(low):
        return 0.0, 100.0
    margin = 0.06 * max(high - low, 1.0)
    return float(low - margin), float(high + margin)


def _draw_road(axes: Axes, points: pd.Series, adopted: pd.Series) -> None:
    """Draw a line through the kept rows, and one where accuracies equal that of the reference."""
    kept = points[adopted].dropna()
    axes.plot(kept, kept.index, color=GREY, linewidth=1.2, zorder=1)
    axes.axvline(0, color=GREY, linewidth=0.7, linestyle=(0, (3, 2)), zorder=0)


def _draw_intervals(
    axes: Axes, points: pd.Series, halves: pd.Series, colours: Sequence[object], limits: tuple[float, float]
) -> None:
    for row, (point, half) in enumerate(zip(points, halves, strict=True)):
        if pd.isna(point) or pd.isna(half):
            continue
        ends = max(point - half, limits[0]), min(point + half, limits[1])
        axes.plot(ends, [row, row], color=colours[row], linewidth=1.3, solid_capstyle="butt", zorder=3)
        for end, beyond, arrow in ((ends[0], point - half, "<"), (ends[1], point + half, ">")):
            if end != beyond:
                axes.plot(end, row, marker=arrow, color=colours[row], markersize=3.5, clip_on=False, zorder=3)


def _finish(
    axes: Axes, title: str, columns: list[tuple[str, str]], cost: str, reference: int | None, table: pd.DataFrame
) -> None:
    """Write accuracy and cost of each row beside the dots, and a title above."""
    place = axes.get_yaxis_transform()
    for row, texts in zip((_HEADING, *range(len(table))), (("top-1 %", cost), *columns), strict=True):
        for text, colour, right in zip(texts, ("black", QUIET), _COLUMN_POINTS, strict=True):
            axes.annotate(
                text, (1, row), (right, 0), place, "offset points",
                fontsize=SMALL, va="center", ha="right", color=colour, annotation_clip=False,
            )  # fmt: skip
    axes.set_title(title, fontsize=TEXT, loc="left", pad=4)
    axes.set_xlabel(_axis_label(table, reference), fontsize=SMALL)
    axes.tick_params(labelsize=SMALL, left=False)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    if reference is not None:
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda value, _: f"{value:+g}".replace("-", "\N{MINUS SIGN}") if value else "0")
        )
    axes.hlines(range(len(table)), 0, 1, transform=place, color="0.93", linewidth=0.6, zorder=0)
    sns.despine(ax=axes, left=True)


def _title(row: Mapping[Hashable, Any]) -> str:
    return str(row["title"]) if row["adopted"] else f"{row['title']} (not kept)"


def _gmacs(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f"{value:.2f} G"


def _signed(value: float) -> str:
    return f"{value:+g}".replace("-", "\N{MINUS SIGN}") if value else "0"


def _number(value: float | None, digits: int, diverged: float = 0) -> str:
    if value is None or pd.isna(value):
        return "diverged" if diverged else ""
    return f"{value:.{digits}f}"


def _axis_label(table: pd.DataFrame, reference: int | None) -> str:
    if reference is None:
        return "top-1 accuracy (%)"
    return f"points above {table['title'][reference]}"


def _conditions(table: pd.DataFrame) -> str:
    """Return seeds and rates, and what the lines are."""
    n = sorted({int(count) for count in table["n"]})
    seeds = f"{n[0]} seed{'' if n[0] == 1 else 's'}" if len(n) == 1 else f"{n[0]} to {n[-1]} seeds"
    rates = dict.fromkeys(table["rates"]) if "rates" in table else ()
    lost = int(table["diverged"].sum())
    parts = [seeds, *([f"{lost} diverged"] if lost else []), *rates]
    bars = "bars: 95 % interval, published ± std" if table["accuracy_half"].notna().any() else "published ± std"
    return f"{', '.join(parts)}; {bars}; marks: the step from the kept row before"
