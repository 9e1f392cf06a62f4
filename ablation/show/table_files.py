"""Tables as files: CSV for programs, Markdown and LaTeX for papers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import unknown

if TYPE_CHECKING:
    import pandas as pd

FORMATS = ("csv", "md", "tex")


def format_table(table: pd.DataFrame, kind: str) -> str:
    """Return a table as text.

    CSV keeps every digit. Markdown and LaTeX round to two decimals, mark True by a bullet and leave False and NaN empty.

    Args:
        table: the table.
        kind: "csv", "md" or "tex".

    Raises:
        AblationError: if there is no such format.

    >>> import pandas as pd
    >>> print(format_table(pd.DataFrame({"network": ["end"], "gelu": [True], "accuracy_percent": [72.346]}), "md"))
    | network   |  gelu  |   accuracy_percent |
    |:----------|:------:|-------------------:|
    | end       |   •    |              72.35 |
    """
    if kind not in FORMATS:
        raise unknown("table format", kind, FORMATS)
    if kind == "csv":
        return table.to_csv(index=False)
    import pandas as pd

    marks = {name: pd.api.types.is_bool_dtype(column) for name, column in table.items()}
    numbers = {name: pd.api.types.is_numeric_dtype(column) for name, column in table.items()}
    shown = table.apply(lambda column: column.map(lambda value: _cell(value, kind)))
    letters = "".join("c" if marks[name] else "r" if numbers[name] else "l" for name in table)
    if kind == "tex":
        shown = shown.rename(columns=lambda name: _escape(str(name)))
        return shown.to_latex(index=False, escape=False, column_format=letters)
    places = {"l": "left", "c": "center", "r": "right"}
    aligned = [places[letter] for letter in letters] if len(table) else None
    return shown.to_markdown(index=False, disable_numparse=True, colalign=aligned) + "\n"


def _cell(value: object, kind: str) -> str:
    if value is True or value is False:
        return ("•" if kind == "md" else r"$\bullet$") if value else ""
    if isinstance(value, float):
        return "" if value != value else f"{value:.2f}"
    return _escape(str(value)) if kind == "tex" else str(value).replace("|", "\\|")


def _escape(text: str) -> str:
    """Return text with the characters that mean something to LaTeX escaped."""
    return "".join(f"\\{letter}" if letter in "&%$#_{}" else letter for letter in text)
