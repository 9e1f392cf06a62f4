"""Console output of the commands: tables, progress through known steps, and figures written with their numbers."""

from __future__ import annotations

import hashlib
import io
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from ..files import write_atomically
from ..show.fitting import wrap_words

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..design.trial import Outcome

_PLAIN_WIDTH = 10_000  # columns, where the output is not a terminal and nothing has to be wrapped
_LEAST_BAR = 10
_MAX_NAME = 120  # bytes of a label in a file name, of 255 for the whole name


def make_console(silent: bool = False) -> Console:
    """Return a console as wide as the terminal, or of any width if the output is not a terminal.

    What it prints is text: square brackets in a path or a name are no markup of rich.

    Args:
        silent: print nothing, for all but the main one of several processes.
    """
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(file=io.StringIO() if silent else None, width=width, markup=False, emoji=False)


def say(console: Console, text: str, style: str | None = None) -> None:
    """Print text: wrapped at words on a terminal, as one line elsewhere. Paths and other long words are not divided.

    A line of columns that a terminal is too narrow for is printed without the spaces that align them.
    """
    if console.is_terminal and cell_len(text) > console.width:
        lines = re.sub(r"(?<=\S) {2,}", " ", text).splitlines()
        text = "\n".join(wrap_words(line, console.width) for line in lines)
    console.print(text, style=style, highlight=False, soft_wrap=True)


def bar_columns(console: Console) -> tuple[ProgressColumn, ...]:
    """Return the columns of a progress bar that leaves room for some 50 characters beside the bar."""
    bar = BarColumn(max(_LEAST_BAR, min(40, console.width - 54)))
    return TextColumn("{task.description}", markup=False), bar, MofNCompleteColumn(), TimeElapsedColumn()


def progress_bar(console: Console) -> Progress:
    """Return a bar with count, elapsed and remaining time; it is not shown if the output is not a terminal."""
    return Progress(*bar_columns(console), TimeRemainingColumn(), console=console, disable=not console.is_terminal)


def format_duration(seconds: float) -> str:
    """Format a duration for reading.

    >>> format_duration(5400), format_duration(600), format_duration(40), format_duration(7 * 86400)
    ('1.5 hours', '10 minutes', '40 s', '7.0 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours" if seconds < 3 * 86400 else f"{seconds / 86400:.1f} days"


def data_label(data: str, start: str = "resnet50") -> str:
    """Return the part of a file name that stands for a data set, prefixed by the ladder unless that is resnet50.

    >>> data_label("imagefolder:/data/cifar10#10000"), data_label("digits", "resnet200")
    ('cifar10-10k', 'resnet200-digits')
    """
    short = re.sub(r"000(?=\+|$)", "k", data.rpartition(":")[2]) if "#" in data else data.rpartition(":")[2]
    label = re.sub(r"[^A-Za-z0-9]+", "-", Path(short).name).strip("-")
    return fit_name(label if start == "resnet50" else f"{start}-{label}")


def fit_name(label: str) -> str:
    """Return part of a file name, shortened if the name would be longer than file systems allow.

    >>> fit_name("resnet50-gelu"), len(fit_name("resnet50-" + 100 * "gelu-"))
    ('resnet50-gelu', 120)
    """
    if len(label.encode("utf-8", "replace")) <= _MAX_NAME:
        return label
    digest = hashlib.sha256(label.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{label.encode('ascii', 'replace')[: _MAX_NAME - 9].decode().replace('?', '-')}-{digest}"


@contextmanager
def track_steps(console: Console, title: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show progress through a known number of steps.

    Yields:
        A function that is called at the end of each step with a line to print.
    """
    began = time.perf_counter()
    done = 0
    with progress_bar(console) as bar:
        task = bar.add_task(title, total=total)

        def end_step(line: str) -> None:
            nonlocal done
            done += 1
            elapsed = time.perf_counter() - began
            say(bar.console, f"{done:3}/{total}  {line}  {elapsed:5.0f} s")
            bar.update(task, advance=1)

        yield end_step


def _merge_environments(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """Return the versions, device and commit of several outcomes; where they differ, all values, joined by " / "."""
    environments = [outcome.environment for outcome in outcomes]
    names = dict.fromkeys(name for environment in environments for name in environment)
    return {name: " / ".join(sorted({str(one.get(name, "")) for one in environments})) for name in names}


def with_conditions(table: pd.DataFrame, outcomes: Collection[Outcome], data: str, changes: str = "") -> pd.DataFrame:
    """Return a study's table with columns of what it was measured on and with, the same in every row.

    Args:
        table: numbers of the study.
        outcomes: all outcomes of the study; `seconds` is their sum, unless the table has seconds of its own.
        data: title of the data set.
        changes: what was changed in the recipes, or "" for no such column.
    """
    columns: dict[str, Any] = {"data": data}
    if "seconds" not in table:
        columns["seconds"] = sum(outcome.seconds for outcome in outcomes)
    columns |= _merge_environments(outcomes)
    if changes:
        columns["recipe_changes"] = changes
    return table.assign(**columns)


def write_figure(stem: Path, figure: Figure, table: pd.DataFrame, console: Console) -> None:
    """Write a figure as STEM.png and its numbers as STEM.csv; an interrupted write leaves no partial file."""
    from ..show.picture import png

    png_file, csv_file = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.csv")
    write_atomically(csv_file, table.to_csv(index=False))
    write_atomically(png_file, png(figure))
    say(console, f"wrote {png_file} and {csv_file}")


def write_presence(stem: Path, table: pd.DataFrame, console: Console) -> None:
    """Write which steps each network takes as STEM-presence.csv, .md and .tex."""
    from ..show.table_files import FORMATS, format_table

    for kind in FORMATS:
        write_atomically(stem.with_name(f"{stem.name}-presence.{kind}"), format_table(table, kind))
    say(console, f"wrote {stem}-presence.csv, .md and .tex")
