"""Figures of learning-rate schedules: relative values, labels and line styles."""

import pytest

from ablation.show.schedule import plot_schedules
from ablation.show.style import PAGE_INCHES, new_figure
from tests.show.looks import check_layout, drawn_texts

RATES = {"steps": [0.1] * 6 + [0.01] * 4, "a longer one": [0.004 * i / 19 for i in range(20)]}


def test_rates_are_relative_to_the_highest():
    steps, longer = plot_schedules(RATES).lines
    assert list(steps.get_ydata()) == pytest.approx([100] * 6 + [10] * 4)
    assert list(steps.get_xdata()) == pytest.approx([10 * i for i in range(10)])
    assert list(longer.get_ydata())[-1] == pytest.approx(100) and list(longer.get_xdata())[-1] == pytest.approx(95)


def test_the_legend_covers_no_curve_and_texts_do_not_overlap():
    axes = plot_schedules(RATES, "Title")
    check_layout(axes.figure)
    box = axes.get_legend().get_window_extent().transformed(axes.transData.inverted())
    assert box.y0 > 100
    assert {"share of the run (%)", "Title", *RATES} <= {text for text, _ in drawn_texts(axes.figure)}
    assert len({line.get_linestyle() for line in axes.lines}) == 2


def test_given_axes_are_used():
    given = new_figure(PAGE_INCHES, 2.3).subplots()
    assert plot_schedules(RATES, axes=given) is given and len(given.lines) == 2
