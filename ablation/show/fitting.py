"""Tables for the terminal that say less where there is less room, so that no figure and no word is cut."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_ANY_WIDTH = 1_000_000
_LONG_HEADING = 7
_UNITS = ((10**9, "G"), (10**6, "M"), (10**3, "k"))


def short_number(value: int, signed: bool = False) -> str:
    """Return a whole number with three significant digits and a unit; one of up to three digits as it is.

    >>> short_number(25_557_032), short_number(4_089_184_256), short_number(999_950), short_number(355)
    ('25.6 M', '4.09 G', '1.00 M', '355')
    >>> short_number(-2_510_368, signed=True), short_number(0, signed=True)
    ('-2.51 M', '+0')
    """
    sign = "-" if value < 0 else "+" if signed else ""
    if abs(value) < 1000:
        return f"{sign}{abs(value)}"
    rounded = float(f"{abs(value):.3g}")
    unit, name = next((unit, name) for unit, name in _UNITS if rounded >= unit)
    share = rounded / unit
    return f"{sign}{share:,.{max(0, 2 - math.floor(math.log10(share)))}f} {name}"


def wrap_words(text: str, width: int, indent: str = "") -> str:
    """Return a line divided at its spaces into lines of a width, where words allow it; `indent` is for all but the first.

    >>> print(wrap_words("figures/speed.png and figures/speed.csv", 20))
    figures/speed.png
    and
    figures/speed.csv
    """
    lines = textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, replace_whitespace=False
    )
    return "\n".join(lines)


@dataclass(frozen=True)
class _Column:
    heading: str
    cells: tuple[str, ...]
    justify: Literal["left", "right"]
    merged: bool

    def shown(self) -> list[str]:
        """The cells, of which a merged column shows the first of equal ones."""
        before = (None, *self.cells)
        return ["" if self.merged and cell == last else cell for cell, last in zip(self.cells, before, strict=False)]


class FittedTable:
    """A table of which every `shorten` names one thing that is said shorter, or left out, where it does not fit.

    Where nothing more can be left out, each row becomes a paragraph that has all columns.

    Args:
        title: line above the table, wrapped at words.
        upright: whether each row is set as a column, beside the headings.

    >>> table = FittedTable("ResNet")
    >>> table.add("row", ["ResNet-50"], justify="left")
    >>> table.add("params", ["25,557,032"])
    >>> table.add("MACs", ["4,089,184,256"])
    >>> table.shorten("params", cells=["25.6 M"])
    >>> table.shorten("MACs")
    >>> Console(width=24).print(table)
    ResNet
    row        params
    ─────────────────
    ResNet-50  25.6 M
    A wider terminal also
    shows: MACs.
    <BLANKLINE>
    """

    def __init__(self, title: str = "", upright: bool = False) -> None:
        self._title, self._upright = title, upright
        self._columns: dict[str, _Column] = {}
        self._shorter: list[tuple[str, _Column | None]] = []
        self._styles: Sequence[str] = ()

    def add(
        self, heading: str, cells: Iterable[str], justify: Literal["left", "right"] = "right", merged: bool = False
    ) -> None:
        """Add a column in its full form; if it is merged, the table shows only the first of equal cells in succession."""
        self._columns[heading] = _Column(heading, tuple(cells), justify, merged)

    def style(self, styles: Sequence[str]) -> None:
        """Give each row a style of rich, or ""."""
        self._styles = styles

    def shorten(self, column: str, heading: str | None = None, cells: Iterable[str] | None = None) -> None:
        """Add what is done next where the table does not fit; earlier ones stay.

        Args:
            column: full heading of a column; it is left out where nothing else is given.
            heading: shorter heading.
            cells: shorter cells.
        """
        last = next((form for name, form in reversed(self._shorter) if name == column), self._columns[column])
        form = None
        if last is not None and (heading is not None or cells is not None):
            form = replace(last, heading=heading or last.heading, cells=tuple(cells) if cells else last.cells)
        self._shorter.append((column, form))

    def wrap(self, column: str, width: int) -> None:
        """Add, as `shorten` does, that the cells of a column are wrapped at words."""
        cells = self._columns[column].cells
        self.shorten(column, cells=[wrap_words(cell, width, indent="  ") for cell in cells])

    def wrap_headings(self) -> None:
        """Add, as `shorten` does, that long headings are wrapped at words, to the width of the cells."""
        for name, column in self._columns.items():
            words, widest = column.heading.replace("_", " "), max(map(cell_len, column.cells), default=0)
            width = max(widest, *map(len, words.split()))
            if len(words) > max(width, _LONG_HEADING):
                self.shorten(name, heading=wrap_words(words, width))

    def _tables(self) -> Iterator[RenderableType]:
        """Yield the tables, the widest first; all but that one are set more tightly and say what they leave out."""
        columns: dict[str, _Column | None] = {**self._columns}
        yield self._table(columns.values(), tight=False)
        yield Group(self._table(columns.values(), tight=True), "")
        for name, form in self._shorter:
            columns[name] = form
            absent = ", ".join(name for name, column in columns.items() if column is None)
            notes = [_Note(f"A wider terminal also shows: {absent}.")] * bool(absent)
            yield Group(self._table(columns.values(), tight=True), *notes, "")

    @property
    def forms(self) -> tuple[RenderableType, ...]:
        """The tables and the paragraphs, the widest first, without the title."""
        return (*self._tables(), _Paragraphs(list(self._columns.values())))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self._title:
            yield Text(self._title, style="table.title")
        anything = options.update(max_width=_ANY_WIDTH)
        for table in self._tables():  # each is made only where those before do not fit
            if Measurement.get(console, anything, table).maximum <= options.max_width:
                yield table
                return
        yield _Paragraphs(list(self._columns.values()))

    def _tables(self) -> Iterator[RenderableType]:
        """Yield the tables, the widest first; all but that one are set more tightly and say what they leave out."""
        columns: dict[str, _Column | None] = {**self._columns}
        yield self._table(columns.values(), tight=False)
        yield Group(self._table(columns.values(), tight=True), "")
        for name, form in self._shorter:
            columns[name] = form
            absent = ", ".join(name for name, column in columns.items() if column is None)
            notes = [_Note(f"A wider terminal also shows: {absent}.")] * bool(absent)
            yield Group(self._table(columns.values(), tight=True), *notes, "")

    @property
    def forms(self) -> tuple[RenderableType, ...]:
        """The tables and the paragraphs, the widest first, without the title."""
        return (*self._tables(), _Paragraphs(list(self._columns.values())))

    def _table(self, columns: Iterable[_Column | None], tight: bool) -> Table:
        present = [column for column in columns if column is not None]
        space = (0, 1, 0, 0) if tight else (0, 1)
        table = Table(box=box.SIMPLE_HEAD, padding=space, show_header=not self._upright)
        table.show_edge = table.pad_edge = not tight
        rows: list[tuple[str, ...]] = list(zip(*(column.shown() for column in present), strict=True))
        if self._upright:
            rows = [(column.heading, *column.cells) for column in present]
        else:
            lines = max(column.heading.count("\n") for column in present)
            for column in present:
                above = "\n" * (lines - column.heading.count("\n"))
                table.add_column(Text(above + column.heading), justify=column.justify)
        for i, row in enumerate(rows):
            cells = [Text(cell, no_wrap=True) for cell in row]
            table.add_row(*cells, style=self._styles[i] if self._styles else None)
        return table


class _Note:
    """A line that is wrapped to the width that is there, and does not decide which form fits."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self._text)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(1, 1)


class _Paragraphs:
    """The rows of a table one below the other: the first cell, then each other one after its heading."""

    def __init__(self, columns: Sequence[_Column]) -> None:
        self._columns = columns

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        first, *others = self._columns
        for i, title in enumerate(first.cells):
            entries = [f"{one.heading} {' '.join(one.cells[i].split())}" for one in others if one.cells[i]]
            yield Group(Text(title), *(Text(f"  {line}") for line in _packed(entries, options.max_width - 2)))
        yield ""


def _packed(entries: Sequence[str], width: int) -> list[str]:
    """Return lines of entries that are joined by semicolons and, where they fit, not divided."""
    lines: list[str] = []
    for i, entry in enumerate(entries):
        entry += ";" if i + 1 < len(entries) else ""
        if lines and cell_len(lines[-1]) + 1 + cell_len(entry) <= width:
            lines[-1] += f" {entry}"
        else:
            lines.append(entry)
    return lines
