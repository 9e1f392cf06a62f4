"""Figures of receptive fields by stage, of windows and kernels, and of profiles."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ablation import AblationError
from ablation.show.reach import plot_profiles, plot_sides, plot_windows
from tests.show.looks import check_layout, drawn_texts

NAMES = ("ResNet-50", "depthwise conv", "kernel size 7", "fewer norms", "separate downsampling")


def sides(stages=(1, 2, 3, 4), runs=2):
    rows = [(name, s, 10 * (i + 2) * s + run) for i, name in enumerate(NAMES) for s in stages for run in range(runs)]
    return pd.DataFrame(rows, columns=["network", "stage", "side_px"])


def panels():
    return {
        "theoretical": sides(),
        "effective, as initialised": sides((1, 2, 3)),
        "effective, keeping the spread": sides(),
    }


def windows():
    maps = np.zeros((4, 21, 21))
    maps[:, 7:14, 7:14] = 1 + np.arange(4)[:, None, None]
    return {"a 7 x 7\nkernel": list(maps), "a 7 x 7\nwindow": list(maps)}, [(10, 8), (10, 10), (10, 13), (10, 14)]


def test_lines_show_the_mean_of_each_stage():
    axes = plot_sides(panels()).axes
    assert [a.get_title(loc="left") for a in axes] == list(panels())
    for i, line in enumerate(axes[1].lines):
        assert list(line.get_xdata()) == [1, 2, 3]
        assert list(line.get_ydata()) == [10 * (i + 2) * s + 0.5 for s in (1, 2, 3)]
    assert len(axes[0].lines) == len(NAMES)


def test_a_network_has_the_same_colour_in_all_panels():
    table = sides()
    figure = plot_sides({"all": table, "some": table[table["network"] != NAMES[0]]})
    colours = [[line.get_color() for line in axes.lines] for axes in figure.axes]
    assert colours[0][1:] == colours[1]


def test_window_borders_and_position_markers():
    maps, positions = windows()
    figure = plot_windows(maps, positions, 7)
    assert len(figure.axes) == 8
    for axes, (row, column) in zip(figure.axes, positions * 2, strict=True):
        *borders, cross = axes.lines
        assert sorted({*borders[0].get_ydata(), *borders[2].get_ydata()}) == [6.5, 13.5]
        assert (cross.get_xdata()[0], cross.get_ydata()[0]) == (column, row)
    assert figure.axes[0].get_title() == "row 10, column 8" and figure.axes[4].get_title() == ""


def test_a_wrong_number_of_maps_is_an_error():
    maps, positions = windows()
    with pytest.raises(AblationError, match="4 maps for 3 positions"):
        plot_windows(maps, positions[:3], 7)


@pytest.mark.parametrize(
    "draw",
    [
        lambda f=None: plot_sides(panels(), f),
        lambda f=None: plot_windows(*windows(), 7, f),
        lambda f=None: plot_profiles({"before": np.ones((9, 9)), "after": np.eye(9)}, f),
    ],
)
def test_texts_do_not_overlap_and_a_given_figure_is_used(draw):
    check_layout(draw())
    before = plt.get_fignums()
    given = Figure(figsize=(9, 5), layout="constrained")
    assert draw(given) is given and given.axes and plt.get_fignums() == before


def test_profiles_are_sums_along_each_axis():
    weights = np.zeros((5, 7))
    weights[0, 3], weights[2, 5] = 3.0, 1.0
    columns, rows = plot_profiles({"before": weights, "after": weights}).axes
    for axes, offsets, shares in ((columns, (0, 2), (75, 25)), (rows, (-2, 0), (75, 25))):
        line = dict(zip(axes.lines[1].get_xdata(), axes.lines[1].get_ydata(), strict=True))
        assert [line.pop(x) for x in offsets] == list(shares) and not any(line.values())


def test_the_axis_label_has_a_unit():
    assert "side of the field (px)" in {text for text, _ in drawn_texts(plot_sides(panels()))}
