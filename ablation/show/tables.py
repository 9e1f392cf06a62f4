"""Tables for the terminal, drawn by rich."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..design.cost import Cost, cost
from ..design.published import Published
from ..design.roadmap import Rung
from .fitting import FittedTable, short_number

if TYPE_CHECKING:
    import pandas as pd

_LONG_CELL = 28  # characters, above which text is wrapped where the table does not fit


def profile_table(
    title: str, rungs: tuple[Rung, ...], size: int, num_classes: int = 1000, in_chans: int = 3
) -> FittedTable:
    """Return a table of parameters, MACs and receptive field of each rung, with the paper's GFLOPs and accuracy."""
    table = FittedTable(title)
    costs = [cost(rung.architecture, size, num_classes, in_chans) for rung in rungs]
    titles = [_indented(rung.title, rung.adopted) for rung in rungs]
    table.add("row", titles, "left")
    table.add("params", [f"{one.params:,}" for one in costs])
    table.add("MACs", [f"{one.macs:,}" for one in costs])
    table.add("field px", [str(one.receptive_field or "image") for one in costs])
    if (size, num_classes, in_chans) == (224, 1000, 3) and any(rung.published for rung in rungs):
        papers = [rung.published for rung in rungs]
        pairs = list(zip(costs, papers, strict=True))
        table.add("G MACs", [f"{one.macs / 1e9:.2f}" if paper else "" for one, paper in pairs])
        table.add("paper G", [_published_gflops(one, paper) if paper else "" for one, paper in pairs])
        table.add("paper top-1", [_accuracy(paper) for paper in papers])
        table.shorten("params", cells=[short_number(one.params) for one in costs])
        table.shorten("MACs")
        table.shorten("row", cells=_brief(titles))
        table.shorten("paper top-1", "top-1", [f"{paper.accuracy:.2f}" if paper else "" for paper in papers])
    else:
        table.shorten("params", cells=[short_number(one.params) for one in costs])
        table.shorten("MACs", cells=[short_number(one.macs) for one in costs])
    return table


def agrees(computed: Cost, paper: Published) -> bool:
    """Return whether the computed MACs round to the GFLOPs that the paper prints."""
    return f"{computed.macs / 1e9:.2f}" == f"{paper.gflops:.2f}"


def disagreements(rungs: tuple[Rung, ...]) -> list[str]:
    """Return one sentence per row whose published GFLOPs do not agree with its architecture."""
    lines = []
    for rung in rungs:
        computed = cost(rung.architecture)
        if rung.published and not agrees(computed, rung.published):
            lines.append(
                f"(!) {rung.title}: the paper prints {rung.published.gflops:.2f}, we count {computed.macs / 1e9:.2f}: "
                f"{rung.published.note}."
            )
    return lines


def ladder_text(table: pd.DataFrame, title: str) -> FittedTable:
    """Return the table of `ladder_table` for the terminal."""
    rows = table.to_dict("records")
    shown = FittedTable(title)
    titles = [_indented(row["title"], row["adopted"]) for row in rows]
    accuracies = [_with_half(row["accuracy"], row["accuracy_half"], ".1f") for row in rows]
    diverged = [f"{count} diverged" if (count := row.get("diverged") or 0) else "" for row in rows]
    p_values = [_p_value(row["p_holm"]) for row in rows]
    shown.add("row", titles, "left")
    shown.add("params", [f"{row['params']:,}" for row in rows])
    shown.add("M MACs", [f"{row['macs'] / 1e6:.2f}" for row in rows])
    shown.add("top-1 %", _joined(accuracies, diverged))
    shown.add("step, points", [_with_half(row["difference"], row["difference_half"], "+.1f") for row in rows])
    shown.add("p (Holm)", p_values)
    shown.add("verdict", [row["verdict"] for row in rows], "left")
    shown.add("paper top-1", [_with_half(row["published_accuracy"], row["published_std"], ".2f") for row in rows])
    shown.shorten("params", cells=[short_number(row["params"]) for row in rows])
    shown.shorten("verdict", cells=_joined([row["verdict"] for row in rows], diverged))
    shown.shorten("top-1 %", cells=accuracies)
    shown.shorten("params")  # printed before the training, as are the MACs
    shown.shorten("M MACs")
    shown.shorten("row", cells=_brief(titles))
    shown.shorten("p (Holm)", "p", [p.replace(" ", "") for p in p_values])
    shown.shorten("paper top-1", "paper", [_with_half(row["published_accuracy"], None, ".2f") for row in rows])
    shown.shorten("step, points", "points")
    return shown


def grid_text(table: pd.DataFrame, title: str) -> FittedTable:
    """Return the table of `grid_table` for the terminal; an axis of a single value is left out."""
    rows = table.to_dict("records")
    shown = FittedTable(title)
    axes = {"images": "images", "size": "px", "epochs": "epochs"}
    differences = [_with_half(row["difference"], row["difference_half"], "+.1f") for row in rows]
    diverged = [f"{row['diverged']} diverged" if row["diverged"] else "" for row in rows]
    shown.add("step", [row["title"] for row in rows], "left", merged=True)
    for name in (name for name in axes if table[name].nunique() > 1):
        shown.add(axes[name], [f"{one:,}" if isinstance(one, int) else str(one) for one in table[name].tolist()])
    shown.add("before", [_with_half(row["accuracy_before"], None, ".1f") for row in rows])
    shown.add("after", [_with_half(row["accuracy_after"], None, ".1f") for row in rows])
    shown.add("step, points", _joined(differences, diverged))
    shown.add("p", ["<0.001" if row["p_holm"] < 0.001 else _with_half(row["p_holm"], None, ".3f") for row in rows])
    shown.add("finds", [_with_half(row["smallest_effect"], None, ".1f") for row in rows])
    shown.add("verdict", [row["verdict"] for row in rows], "left")
    shown.wrap("step", 22)
    shown.shorten("verdict", cells=_joined([row["verdict"] for row in rows], diverged))
    shown.shorten("step, points", cells=differences)
    shown.shorten("finds")
    shown.shorten("p")
    shown.wrap("step", 14)
    return shown


def text_table(title: str, table: pd.DataFrame, leave_out: Sequence[str] = ()) -> FittedTable:
    """Return all columns of a data frame as a table for the terminal, with floats rounded to two decimals.

    Args:
        title: line above the table.
        table: the data frame.
        leave_out: columns that are left out where the table does not fit, in this order.
    """
    import pandas as pd

    shown = FittedTable(title)
    for name, column in table.items():
        cells = [f"{value:.2f}" if isinstance(value, float) else str(value) for value in column.tolist()]
        shown.add(str(name), cells, "right" if pd.api.types.is_numeric_dtype(column) else "left")
    shown.wrap_headings()
    for name, column in table.items():
        if max((len(str(value)) for value in column), default=0) > _LONG_CELL:
            shown.wrap(str(name), _LONG_CELL)
    for name in leave_out:
        if name in table:
            shown.shorten(name)
    return shown


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of effects for reading: its value and the half-width of the 95 % interval in one column, as text.

    The p-value without correction, the degrees of freedom and the standard error are left out.

    >>> import pandas as pd
    >>> table = {"step": ["gelu"], "effect_points": [1.5], "half_points": [0.25], "p_holm": [0.0004], "n": [3]}
    >>> with_intervals(pd.DataFrame(table))
       step effect_points   p_holm  n
    0  gelu  +1.50 ± 0.25  < 0.001  3
    """
    if "half_points" not in table:
        return table
    name = next(str(name) for name in table if str(name).endswith(("_points", "_percent")))
    number_format = ".2f" if name.endswith("_percent") else "+.2f"
    pairs = zip(table[name], table["half_points"], strict=True)
    shown = table.assign(**{name: [_with_half(*pair, number_format) for pair in pairs]})
    if "p_holm" in table:
        shown["p_holm"] = [_p_value(p) for p in table["p_holm"]]
    return shown.drop(columns=["half_points", "p", "df", "se_points"], errors="ignore")


def _published_gflops(computed: Cost, paper: Published) -> str:
    return f"{paper.gflops:.2f}{'' if agrees(computed, paper) else ' (!)'}"


def _accuracy(paper: Published | None) -> str:
    return _with_half(paper.accuracy, paper.std, ".2f") if paper else ""


def _p_value(p: float | None) -> str:
    if p is None or p != p:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _joined(cells: Sequence[str], notes: Sequence[str]) -> list[str]:
    return [", ".join(filter(None, pair)) for pair in zip(cells, notes, strict=True)]


def _indented(title: str, adopted: bool) -> str:
    return title if adopted else f"  {title} (not kept)"


def _brief(titles: Sequence[str]) -> list[str]:
    return [title.replace(" recipe)", ")") for title in titles]


def _with_half(value: float | None, half: float | None, number_format: str) -> str:
    if value is None or value != value:
        return ""
    has_half = half is not None and half == half
    return f"{value:{number_format}}" + (f" ± {half:{number_format.lstrip('+')}}" if has_half else "")
