"""Map of a course: which notebook needs which, from left to right, with the reading time of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from .layered import ancestors, arrange, direct
from .style import BLUE, PAGE_INCHES, QUIET, TEXT, headline, new_figure, wrap

_BOX = (1.13, 0.6)  # inches, of a notebook
_ROW_INCHES = 0.78
_EDGE = 0.04  # inches around the boxes
_PAD = 0.08  # inches between a box and its text
_LINE = 0.145  # inches from one line of a box to the next
_ROUNDING = 0.05  # inches
_NUMBERS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class Notebook:
    """A notebook of a course.

    Args:
        name: name of the file without its ending, such as "02_macro_design".
        minutes: time to read it.
        needs: names of the notebooks that it requires.
    """

    name: str
    minutes: int
    needs: tuple[str, ...] = ()

    @property
    def number(self) -> str:
        """The number in the name, such as "02"; "" without one."""
        return self.name.partition("_")[0] if self.name[0].isdigit() else ""

    @property
    def title(self) -> str:
        """The words in the name, such as "Macro design"."""
        return self.name.removeprefix(f"{self.number}_").replace("_", " ").capitalize()


def plot_course(notebooks: Sequence[Notebook], figure: Figure | None = None) -> Figure:
    """Plot notebooks in columns, with arrows from each to those that need it; needs that follow from others have no arrow.

    Args:
        notebooks: all notebooks of the course, in order.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure.

    Raises:
        AblationError: if a notebook needs itself, directly or through others.
    """
    layout = arrange({one.name: one.needs for one in notebooks})
    columns = 1 + max(column for column, _ in layout.places.values())
    rows = [row for stops in [list(layout.places.values()), *layout.arrows.values()] for _, row in stops]
    height = max(rows) * _ROW_INCHES + _BOX[1] + 2 * _EDGE
    figure = figure or new_figure(PAGE_INCHES, height)
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(0, PAGE_INCHES), ylim=(0, height), aspect="equal")
    pitch = (PAGE_INCHES - 2 * _EDGE - _BOX[0]) / max(columns - 1, 1)

    def corner(place: tuple[int, int]) -> tuple[float, float]:
        """Return the lower left corner of a box, in inches."""
        return _EDGE + place[0] * pitch, _EDGE + (max(rows) - place[1]) * _ROW_INCHES

    for stops in layout.arrows.values():
        _draw_arrow(axes, [corner(place) for place in stops])
    first = _start(notebooks)
    for one in notebooks:
        _draw_notebook(axes, corner(layout.places[one.name]), one, filled=one.name == first)
    return headline(figure, course_finding(notebooks))


def course_finding(notebooks: Sequence[Notebook]) -> str:
    """Return where the course branches, and how many notebooks one needs at most."""
    needs = {one.name: one.needs for one in notebooks}
    label = {one.name: one.number or f"the {one.title.lower()}" for one in notebooks}
    first = _start(notebooks)
    if first is None:
        return "Every notebook can be read on its own"
    following = [label[name] for name, named in direct(needs).items() if first in named]
    most = max(len(above) for above in ancestors(needs).values())
    choice = " or ".join(filter(None, [", ".join(following[:-1]), following[-1]]))
    others = f"{_NUMBERS[most] if most < len(_NUMBERS) else most} other{'' if most == 1 else 's'}"
    return f"After {label[first]}, you can continue with {choice}; no notebook needs more than {others}"


def _start(notebooks: Sequence[Notebook]) -> str | None:
    """Return the notebook that most others need, of several the first; None if no notebook needs another."""
    counts = Counter(name for above in ancestors({one.name: one.needs for one in notebooks}).values() for name in above)
    return max((one.name for one in notebooks if counts[one.name]), key=lambda name: counts[name], default=None)


def _draw_notebook(axes: Axes, corner: tuple[float, float], notebook: Notebook, filled: bool) -> None:
    """Draw a box with number, time and title; the notebook that most others need is filled."""
    (x, y), (width, height) = corner, _BOX
    box = FancyBboxPatch(
        (x, y), width, height, boxstyle=f"round,pad=0,rounding_size={_ROUNDING}", linewidth=1, edgecolor=BLUE,
        facecolor=BLUE if filled else "white", gid=notebook.name, zorder=2,
    )  # fmt: skip
    axes.add_patch(box)
    colour, soft = ("white", "white") if filled else ("black", QUIET)
    head, title = (notebook.number, notebook.title) if notebook.number else (notebook.title, "")
    left, line = x + _PAD, y + height - _PAD - 0.1
    text: dict[str, Any] = {"fontsize": TEXT, "va": "baseline", "zorder": 3}
    axes.text(left, line, head, color=colour, fontweight="bold" if title else "normal", **text)
    axes.text(x + width - _PAD, line, f"{notebook.minutes} min", color=soft, ha="right", **text)
    for i, words in enumerate(wrap(title, width - 2 * _PAD, TEXT).split("\n") if title else ()):
        axes.text(left, line - _LINE - i * _LINE, words, color=colour, **text)


def _draw_arrow(axes: Axes, corners: Sequence[tuple[float, float]]) -> None:
    """Draw a smooth arrow from the first box to the last one, straight through the columns between them."""
    width, height = _BOX
    middle = [(x, y + height / 2) for x, y in corners]
    points, codes = [(middle[0][0] + width, middle[0][1])], [Path.MOVETO]
    for i, (x, y) in enumerate(middle[1:], start=1):
        x0, y0 = points[-1]
        half = (x0 + x) / 2
        points += [(half, y0), (half, y), (x, y)]
        codes += [Path.CURVE4] * 3
        if i < len(middle) - 1:
            points.append((x + width, y))
            codes.append(Path.LINETO)
    arrow = FancyArrowPatch(
        path=Path(points, codes), arrowstyle="-|>,head_length=4,head_width=2", shrinkA=0, shrinkB=0, linewidth=1,
        color=QUIET, zorder=1,
    )  # fmt: skip
    axes.add_patch(arrow)
