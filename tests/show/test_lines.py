"""Line plots against a setting: values, intervals, offsets between lines, and ticks."""

import math

import pandas as pd
import pytest

from ablation.show.lines import plot_lines
from ablation.show.style import PAGE_INCHES, new_figure
from tests.show.looks import check_layout, drawn_texts


def table(means, halves=None, settings=(2, 8, 32, 128)):
    columns = {"mean": means, **({"half": halves} if halves else {})}
    return pd.DataFrame(columns, index=list(settings))


TWO = {"one": table([50.0, 60, 70, 80], [1.0, 2, 3, 4]), "other": table([55.0, 65, 75, 85], [4.0, 3, 2, math.nan])}


def ends(axes):
    """Return the lower and upper end of each error bar, for each line."""
    return [[(low, high) for (_, low), (_, high) in bars.lines[2][0].get_segments()] for bars in axes.containers]


def test_means_and_intervals_are_drawn_at_their_values():
    axes = plot_lines(TWO, "batch", "accuracy (%)", x_base=2)
    assert [list(bars.lines[0].get_ydata()) for bars in axes.containers] == [[50, 60, 70, 80], [55, 65, 75, 85]]
    assert ends(axes)[0] == [(49, 51), (58, 62), (67, 73), (76, 84)]
    assert ends(axes)[1][-1] == (85, 85)  # no interval
    for bars in axes.containers:
        assert list(bars.lines[0].get_xdata()) == pytest.approx([2, 8, 32, 128], rel=0.1)


def test_lines_with_error_bars_are_offset_and_lines_without_are_not():
    one, other = (bars.lines[0].get_xdata() for bars in plot_lines(TWO, "batch", "accuracy (%)").containers)
    assert all(a != b for a, b in zip(one, other, strict=True))
    without_bars = plot_lines({"one": table([1.0, 2, 3, 4]), "other": table([2.0, 3, 4, 5])}, "x", "y").containers
    assert [list(bars.lines[0].get_xdata()) for bars in without_bars] == [[2, 8, 32, 128]] * 2
    mixed = plot_lines({"published": table([1.0, 2, 3, 4]), **TWO}, "x", "y").containers
    exact, left, right = (bars.lines[0].get_xdata() for bars in mixed)
    assert list(exact) == [2, 8, 32, 128] == pytest.approx([(a + b) / 2 for a, b in zip(left, right, strict=True)])


@pytest.mark.parametrize("legend_outside", [False, True])
def test_ticks_of_a_logarithmic_axis_are_the_settings_and_texts_do_not_overlap(legend_outside):
    axes = plot_lines(TWO, "batch size", "accuracy (%)", "Title", x_base=2, y_base=10, legend_outside=legend_outside)
    check_layout(axes.figure)
    assert list(axes.get_xticks()) == [2, 8, 32, 128]
    texts = {text for text, _ in drawn_texts(axes.figure)}
    assert {"batch size", "accuracy (%)", "Title", "one", "other", "128"} <= texts
    assert axes.get_yscale() == "log"


def test_integer_settings_have_integer_ticks():
    axes = plot_lines({"one": table([1.0, 2, 3, 4], settings=(1, 2, 3, 4))}, "seeds", "points")
    assert all(tick == int(tick) for tick in axes.get_xticks())


def test_given_axes_are_used():
    given = new_figure(PAGE_INCHES, 2.4).subplots()
    assert plot_lines(TWO, "x", "y", axes=given) is given and given.lines
