"""The map of the course: boxes do not overlap, texts are inside them, arrows pass between them; its title follows the graph."""

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from ablation.course.reading_order import read_course
from ablation.errors import AblationError
from ablation.show.course_map import Notebook, course_finding, plot_course
from ablation.show.layered import direct
from ablation.show.style import PAGE_INCHES, new_figure
from tests.notebooks import FOLDER
from tests.show.looks import check_layout

COURSE = read_course(FOLDER)
PASSING = [  # the arrow from 02 to 04 passes the column of 03
    Notebook("01_start", 5),
    Notebook("02_other", 5),
    Notebook("03_middle", 5, ("01_start",)),
    Notebook("04_end", 5, ("03_middle", "02_other")),
]


def drawn(notebooks):
    """Return the figure, its boxes by name, and points on each arrow, in inches."""
    figure = plot_course(notebooks)
    FigureCanvasAgg(figure).draw()
    patches = figure.axes[0].patches
    boxes = {box.get_gid(): box.get_bbox() for box in patches if isinstance(box, FancyBboxPatch)}
    flat = [arrow.get_path().cleaned(curves=False) for arrow in patches if isinstance(arrow, FancyArrowPatch)]
    lines = [Path(path.vertices[np.isin(path.codes, [Path.MOVETO, Path.LINETO])]) for path in flat]
    return figure, boxes, [line.interpolated(50).vertices for line in lines]


@pytest.mark.parametrize("notebooks", [COURSE, PASSING], ids=["course", "passing"])
def test_no_node_overlaps_another_and_no_arrow_crosses_one(notebooks):
    _, boxes, arrows = drawn(notebooks)
    assert list(boxes) == [one.name for one in notebooks]
    for one, other in itertools.combinations(boxes.values(), 2):
        assert not one.overlaps(other)
    for box in boxes.values():
        assert min(box.x0, box.y0) >= 0 and box.x1 <= PAGE_INCHES
        assert not any(box.padded(-0.02).contains(x, y) for points in arrows for x, y in points)
    assert len(arrows) == sum(len(named) for named in direct({one.name: one.needs for one in notebooks}).values())


def test_arrows_start_at_a_box_and_end_at_one():
    _, boxes, arrows = drawn(PASSING)
    starts, ends = (
        {(box.x1, (box.y0 + box.y1) / 2) for box in boxes.values()},
        {(box.x0, (box.y0 + box.y1) / 2) for box in boxes.values()},
    )
    for points in arrows:
        assert min(np.hypot(*(points[0] - start)) for start in starts) < 0.01
        assert min(np.hypot(*(point - end)) for end in ends for point in points) < 0.05


def test_texts_are_inside_their_boxes_and_large_enough_to_read():
    figure, boxes, _ = drawn(COURSE)
    check_layout(figure)
    axes = figure.axes[0]
    places = [box.transformed(axes.transData) for box in boxes.values()]
    texts = [text for text in axes.texts if text.get_text()]
    assert all(text.get_fontsize() >= 8 for text in texts)
    for text in texts:
        found = text.get_window_extent()
        assert any(
            box.x0 < found.x0 and found.x1 < box.x1 and box.y0 < found.y0 and found.y1 < box.y1 for box in places
        ), text
    words = {text.get_text() for text in texts}
    assert {"01", "Roadmap", "30 min", "Depthwise and", "inverted", "Explorer"} <= words


def test_the_notebook_that_most_others_need_is_filled():
    figure, _, _ = drawn(COURSE)
    filled = [
        box.get_gid()
        for box in figure.axes[0].patches
        if isinstance(box, FancyBboxPatch) and box.get_facecolor()[:3] != (1, 1, 1)
    ]
    assert filled == ["01_roadmap"]


def test_the_finding_follows_the_graph():
    assert course_finding(PASSING) == "After 01, you can continue with 03; no notebook needs more than three others"
    assert course_finding(PASSING[:3]) == "After 01, you can continue with 03; no notebook needs more than one other"
    assert course_finding(PASSING[:2]) == "Every notebook can be read on its own"
    branches = [Notebook("01_start", 5), *(Notebook(name, 5, ("01_start",)) for name in ("02_a", "03_b", "explorer"))]
    assert course_finding(branches).startswith("After 01, you can continue with 02, 03 or the explorer;")


def test_a_given_figure_is_used_and_a_cycle_is_an_error():
    given = new_figure(9, 9)
    assert plot_course(PASSING, given) is given and given.axes
    with pytest.raises(AblationError, match="a needs b needs a"):
        plot_course([Notebook("a", 5, ("b",)), Notebook("b", 5, ("a",))])
