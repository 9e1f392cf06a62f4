"""What every figure must be: labelled, and no words over words or over the edge."""

from __future__ import annotations

import itertools

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

_SLACK = 1.0  # pixels


def words(figure: Figure) -> list[tuple[str, object]]:
    """Every text that is drawn, with its box in pixels."""
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


def check(figure: Figure) -> None:
    """Fail where a word leaves the figure or lies on another."""
    found = words(figure)
    width, height = figure.canvas.get_width_height()
    for text, box in found:
        inside = box.x0 >= -_SLACK and box.y0 >= -_SLACK and box.x1 <= width + _SLACK and box.y1 <= height + _SLACK
        assert inside, f"{text!r} leaves the figure"
    for (first, a), (second, b) in itertools.combinations(found, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= _SLACK or down <= _SLACK, f"{first!r} lies on {second!r}"
