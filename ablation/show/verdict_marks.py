"""How verdicts are drawn and counted: a colour and a shape for each, and the sentence that says how many steps have it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from .style import BLUE, GREEN, ORANGE, QUIET, RED

START = "start"  # of the first row, which follows none
AGREES, REVERSES, DIFFERS, EQUIVALENT, UNDECIDED = "agrees", "reverses", "differs", "equivalent", "undecided"


@dataclass(frozen=True)
class Look:
    """How one verdict is drawn.

    Args:
        colour: of the mark and of the interval.
        marker: of the mark.
        size: of the mark in points; shapes of one size look unequal.
        hollow: whether the mark is empty.
        legend: what it means.
    """

    colour: tuple[float, float, float]
    marker: str
    size: float
    legend: str
    hollow: bool = False


LOOKS = {
    AGREES: Look(BLUE, "o", 5.5, "agrees with the paper"),
    REVERSES: Look(RED, "X", 6.5, "reverses the paper"),
    DIFFERS: Look(ORANGE, "D", 5.0, "differs (paper: no effect)"),
    EQUIVALENT: Look(GREEN, "s", 5.0, "equivalent (within 1 point)"),
    UNDECIDED: Look(QUIET, "o", 5.0, "undecided", hollow=True),
    "": Look(QUIET, "|", 7.0, "no verdict"),
    START: Look((0.15, 0.15, 0.15), "o", 4.5, ""),
}


def draw_mark(axes: Axes, x: float, y: float, verdict: str) -> None:
    """Draw the mark of a verdict at a point."""
    axes.add_line(_mark(LOOKS[verdict], [x], [y]))


def legend_marks(verdicts: Sequence[str]) -> list[Line2D]:
    """Return legend entries of the verdicts that occur, in a fixed order."""
    return [_mark(look, [], [], look.legend) for verdict, look in LOOKS.items() if verdict in verdicts and look.legend]


def _mark(look: Look, x: Sequence[float], y: Sequence[float], label: str = "") -> Line2D:
    face = "white" if look.hollow else look.colour
    return Line2D(
        x, y, linestyle="", marker=look.marker, markersize=look.size, markerfacecolor=face, color=look.colour,
        markeredgecolor=look.colour if look.hollow or look.marker == "|" else "white",
        markeredgewidth=1.1 if look.hollow else 1.4 if look.marker == "|" else 0.4, label=label, zorder=4,
    )  # fmt: skip


def ladder_finding(table: pd.DataFrame, data_label: str) -> str:
    """Return how many steps of a ladder have which verdict, as a sentence.

    Args:
        table: from `ablation.evidence.ladder_table.ladder_table`.
        data_label: name of the training data; what follows a comma or bracket is left out.

    >>> ladder = pd.DataFrame({"verdict": ["", "agrees", "undecided", "agrees"], "n": 3, "diverged": 0})
    >>> ladder_finding(ladder, "CIFAR-10 (JPEG), 10,000 images")
    'Of 3 steps on CIFAR-10, 2 agree with the paper and 1 is undecided'
    """
    data = re.split(r" \(|, ", data_label)[0]
    steps = table.iloc[1:]  # the first row follows none
    counts = {verdict: int((steps["verdict"] == verdict).sum()) for verdict in LOOKS}
    if not table["n"].any():
        return f"No row of {len(table)} has an accuracy on {data}"
    if not len(steps) or counts[""] == len(steps):
        return f"No verdict on any of {len(steps)} steps on {data}"
    words = {
        AGREES: ("agrees with the paper", "agree with the paper"),
        REVERSES: ("reverses it", "reverse it") if counts[AGREES] else ("reverses the paper", "reverse the paper"),
        DIFFERS: ("differs", "differ"),
        EQUIVALENT: ("is equivalent", "are equivalent"),
        UNDECIDED: ("is undecided", "are undecided"),
        "": ("has no verdict", "have no verdict"),
    }
    if len(steps) in counts.values():
        return f"All {len(steps)} steps on {data} {next(words[name][1] for name, count in counts.items() if count)}"
    parts = [f"{count} {words[verdict][count > 1]}" for verdict, count in counts.items() if count]
    listed = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    return f"Of {len(steps)} steps on {data}, {listed}"
