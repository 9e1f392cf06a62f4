"""Arrows from before to after: the numbers of the table, in its order, and a title that counts."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from ablation.show.before_after import plot_before_after

NETWORKS = ["ResNet-50", "kernel size 7", "the same"]
ONE = pd.DataFrame({"before": [9, 19, 5], "after": [7, 13, 5]}, index=NETWORKS)
TWO = pd.DataFrame({"before": [9, 19, 5], "after": [10, 13, 5]}, index=NETWORKS)


@pytest.fixture
def figure():
    figure = plot_before_after({"after stage 1": ONE, "after stage 2": TWO}, "side (px)")
    yield figure
    plt.close(figure)


def test_each_panel_has_the_numbers_of_its_table_from_top_to_bottom(figure):
    for axes, table in zip(figure.axes, (ONE, TWO), strict=True):
        drawn = {line.get_label(): list(line.get_xdata()) for line in axes.lines}
        assert drawn == {name: list(table[name]) for name in ("before", "after")}
        names = axes.get_yticklabels() or figure.axes[0].get_yticklabels()  # shared with the first panel
        assert [label.get_text() for label in names] == NETWORKS
        assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first network is at the top"
        assert axes.get_xlim()[0] == 0 and axes.get_xlabel() == "side (px)"


def test_arrows_point_from_before_to_after_where_they_differ(figure):
    arrows = [[(note.xyann, note.xy) for note in axes.texts] for axes in figure.axes]
    assert arrows[0] == [((9, 0), (7, 0)), ((19, 1), (13, 1))]
    assert arrows[1] == [((9, 0), (10, 0)), ((19, 1), (13, 1))]


def test_titles_count_what_is_smaller(figure):
    assert [axes.get_title(loc="left") or axes.get_title() for axes in figure.axes] == [
        "after stage 1: smaller in 2 of 3",
        "after stage 2: smaller in 1 of 3",
    ]
