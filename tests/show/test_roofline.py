"""The roofline plot: the roofs and the measured points."""

import pytest

from ablation.measure.work import Work
from ablation.show.roofline import Point, plot_roofline, roof
from ablation.show.style import new_figure
from tests.show.looks import check_layout

POINTS = [Point("slow", Work(10, 10), 1.0), Point("fast", Work(4000, 20), 50.0)]


def test_the_roof_is_limited_by_memory_then_by_arithmetic():
    assert [roof(x, 100.0, 10.0) for x in (1, 5, 10, 20)] == [10, 50, 100, 100]


def test_points_lie_at_their_intensity_and_speed():
    axes = plot_roofline(POINTS, 100e9, 10e9)
    marks = {line.get_label(): (line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines[3:]}
    assert marks == {"slow": (1.0, pytest.approx(10 / 1e9)), "fast": (200.0, pytest.approx(80 / 1e9))}
    memory, arithmetic = axes.lines[:2]
    assert memory.get_xdata()[1] == arithmetic.get_xdata()[0] == 10.0
    assert memory.get_ydata()[0] == pytest.approx(memory.get_xdata()[0] * 10)


def test_given_axes_are_used_and_texts_do_not_overlap():
    given = new_figure(5, 3).subplots()
    assert plot_roofline(POINTS, 100e9, 10e9, given) is given
    check_layout(given.figure)
    check_layout(plot_roofline(POINTS, 100e9, 10e9).figure)
