"""Layout checks for figures: texts must not overlap or extend beyond the edge of the figure."""

from __future__ import annotations

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ablation.show.style import NOTE

_TOLERANCE = 1.0  # pixels


def drawn_texts(figure: Figure) -> list[tuple[str, object]]:
    """Return all texts that are drawn, with their bounding boxes in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                low, high = sorted(axis.get_view_interval())
                inside = low - 1e-9 <= tick.get_loc() <= high + 1e-9
                for label in (tick.label1, tick.label2):
                    if not inside or not label.get_visible():
                        hidden.add(label)
    texts = [
        text for text in figure.findobj(Text) if text not in hidden and text.get_visible() and text.get_text().strip()
    ]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in texts]
    return [(text, box) for text, box in boxes if box.width > 0 and box.height > 0]


def note_of(figure: Figure) -> str:
    """Return the line below the headline of a figure, without its line breaks."""
    (note,) = (text for text in figure.texts if text.get_gid() == NOTE)
    return " ".join(note.get_text().split())


def check_layout(figure: Figure) -> None:
    """Fail if a text extends beyond the figure or overlaps another one."""
    texts = drawn_texts(figure)
    width, height = figure.canvas.get_width_height()
    for text, box in texts:
        inside = (
            box.x0 >= -_TOLERANCE
            and box.y0 >= -_TOLERANCE
            and box.x1 <= width + _TOLERANCE
            and box.y1 <= height + _TOLERANCE
        )
        assert inside, f"{text!r} extends beyond the figure"
    for (first, a), (second, b) in itertools.combinations(texts, 2):
        horizontal = min(a.x1, b.x1) - max(a.x0, b.x0)
        vertical = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert horizontal <= _TOLERANCE or vertical <= _TOLERANCE, f"{first!r} overlaps {second!r}"
