"""Tables for the terminal, drawn by rich."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from ..design.cost import Cost, cost
from ..design.published import Published
from ..design.roadmap import Rung

if TYPE_CHECKING:
    import pandas as pd


def profile_table(title: str, rungs: tuple[Rung, ...], size: int, num_classes: int = 1000, in_chans: int = 3) -> Table:
    """Return a table of parameters, MACs and receptive field of each rung, with the paper's GFLOPs and accuracy."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("row", no_wrap=True)
    with_paper = (size, num_classes, in_chans) == (224, 1000, 3) and any(rung.published for rung in rungs)
    for heading in ("params", "MACs", "field px", *(("G MACs", "paper G", "paper top-1") if with_paper else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    for rung in rungs:
        computed, paper = cost(rung.architecture, size, num_classes, in_chans), rung.published
        cells = [
            rung.title if rung.adopted else f"  {rung.title} (not kept)",
            f"{computed.params:,}",
            f"{computed.macs:,}",
            str(computed.receptive_field or "image"),
        ]
        if with_paper and paper:
            mark = "" if agrees(computed, paper) else " (!)"
            cells += [f"{computed.macs / 1e9:.2f}", f"{paper.gflops:.2f}{mark}", _accuracy(paper)]
        table.add_row(*cells)
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


def ladder_text(table: pd.DataFrame, title: str) -> Table:
    """Return the table of `ladder_table` for the terminal."""
    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    shown.add_column("row", no_wrap=True)
    for heading in ("params", "M MACs", "top-1 %", "step, points", "p (Holm)", "verdict", "paper top-1"):
        shown.add_column(heading, justify="right" if heading != "verdict" else "left", no_wrap=True)
    for row in table.to_dict("records"):
        shown.add_row(
            row["title"] if row["adopted"] else f"  {row['title']} (not kept)",
            f"{row['params']:,}",
            f"{row['macs'] / 1e6:.2f}",
            _with_diverged(_with_half(row["accuracy"], row["accuracy_half"], ".1f"), row.get("diverged") or 0),
            _with_half(row["difference"], row["difference_half"], "+.1f"),
            _p_value(row["p_holm"]),
            row["verdict"],
            _with_half(row["published_accuracy"], row["published_std"], ".2f"),
        )
    return shown


def text_table(title: str, table: pd.DataFrame) -> Table:
    """Return all columns of a data frame as a table for the terminal, with floats rounded to two decimals."""
    import pandas as pd

    shown = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for name, column in table.items():
        shown.add_column(str(name), justify="right" if pd.api.types.is_numeric_dtype(column) else "left")
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{value:.2f}" if isinstance(value, float) else str(value) for value in row))
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


def _accuracy(paper: Published | None) -> str:
    return _with_half(paper.accuracy, paper.std, ".2f") if paper else ""


def _p_value(p: float | None) -> str:
    if p is None or p != p:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _with_diverged(shown: str, diverged: int) -> str:
    return ", ".join(filter(None, (shown, f"{diverged} diverged" if diverged else "")))


def _with_half(value: float | None, half: float | None, number_format: str) -> str:
    if value is None or value != value:
        return ""
    has_half = half is not None and half == half
    return f"{value:{number_format}}" + (f" ± {half:{number_format.lstrip('+')}}" if has_half else "")
