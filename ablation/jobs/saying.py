"""How a job speaks: a console, a bar on a terminal and plain lines elsewhere, figures beside their numbers."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from ..files import write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from ..study.trial import Outcome

_PLAIN_WIDTH = 120  # columns, where the output is not a terminal


def new_console() -> Console:
    """A console as wide as the terminal, or of a fixed width elsewhere."""
    return Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)


def bar_of(console: Console) -> Progress:
    """A bar with count, time taken and time left; nothing where the console is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)


def in_words(seconds: float) -> str:
    """A time as one would say it.

    >>> in_words(5400), in_words(600), in_words(40), in_words(7 * 86400)
    ('1.5 hours', '10 minutes', '40 s', '7.0 days')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours" if seconds < 3 * 86400 else f"{seconds / 86400:.1f} days"


def data_label(data: str, start: str = "resnet50") -> str:
    """A data set's name as a part of a file's name, after the ladder's where that is not the usual one.

    >>> data_label("imagefolder:/data/cifar10#10000"), data_label("digits", "resnet200")
    ('cifar10-10k', 'resnet200-digits')
    """
    short = re.sub(r"000(?=\+|$)", "k", data.rpartition(":")[2]) if "#" in data else data.rpartition(":")[2]
    label = re.sub(r"[^A-Za-z0-9]+", "-", Path(short).name).strip("-")
    return label if start == "resnet50" else f"{start}-{label}"


@contextmanager
def steps(console: Console, what: str, total: int) -> Iterator[Callable[[str], None]]:
    """Progress through a known number of steps: call what is given with a line as each one ends."""
    began = time.perf_counter()
    done = 0
    with bar_of(console) as bar:
        task = bar.add_task(what, total=total)

        def end(line: str) -> None:
            nonlocal done
            done += 1
            taken = time.perf_counter() - began
            bar.console.print(f"{done:3}/{total}  {line}  {taken:5.0f} s", highlight=False, soft_wrap=True)
            bar.update(task, advance=1)

        yield end


def environment_of(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """Versions, device and commit that outcomes were measured with; where they differ, all of them."""
    environments = [outcome.environment for outcome in outcomes]
    names = dict.fromkeys(name for environment in environments for name in environment)
    return {name: " / ".join(sorted({str(about.get(name, "")) for about in environments})) for name in names}


def write_figure(stem: Path, figure: Figure, table: pd.DataFrame, console: Console) -> None:
    """A figure and its numbers side by side, each there whole or not at all."""
    from ..show.picture import png

    png_file, csv_file = stem.with_name(f"{stem.name}.png"), stem.with_name(f"{stem.name}.csv")
    write_atomically(csv_file, table.to_csv(index=False).encode())
    write_atomically(png_file, png(figure))
    console.print(f"wrote {png_file} and {csv_file}", highlight=False, soft_wrap=True)
