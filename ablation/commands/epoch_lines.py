"""What `ablation train` prints while it trains: a line for each epoch, and in a terminal one for the current step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console

from .console import say

if TYPE_CHECKING:
    from ..train.loop import Moment


@contextmanager
def shown_progress(console: Console) -> Iterator[Callable[[Moment], None]]:
    """Yield a function that prints a line for each epoch that ends; in a terminal, the current step is shown below."""
    with console.status("starting", spinner="line") as status:

        def report(moment: Moment) -> None:
            if moment.ends_epoch:
                say(console, epoch_line(moment))
            status.update(step_line(moment))

        yield report


def epoch_line(moment: Moment) -> str:
    """Return what is printed when an epoch ends."""
    accuracy = "" if moment.accuracy is None else f"  top-1 {moment.accuracy:.2f} %"
    return f"epoch {moment.epoch}/{moment.epochs}  training loss {moment.loss:.4f}{accuracy}  {_speed(moment)}"


def step_line(moment: Moment) -> str:
    """Return what is shown within an epoch."""
    return (
        f"epoch {moment.epoch}/{moment.epochs}, step {moment.step}/{moment.steps}: {moment.loss:.4f}, {_speed(moment)}"
    )


def _speed(moment: Moment) -> str:
    return f"{moment.images_per_second:,.0f} images/s"
