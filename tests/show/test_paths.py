"""Figures of paths: one line per product of the layer."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from torch import nn

from ablation.show.paths import plot_paths, reaches
from tests.show.looks import check_layout

C, P = 4, 7
FULL = nn.Conv2d(C, C, 3, padding=1)
DEPTHWISE = nn.Conv2d(C, C, 3, padding=1, groups=C)
POINTWISE = nn.Conv2d(C, C, 1)
LAYERS = {"full": [FULL], "depthwise": [DEPTHWISE], "pointwise": [POINTWISE], "both": [DEPTHWISE, POINTWISE]}


def lines(axes):
    return sum(len(collection.get_segments()) for collection in axes.collections if hasattr(collection, "get_segments"))


def test_reaches_matches_the_kind_of_convolution():
    near = np.abs(np.subtract.outer(np.arange(P), np.arange(P))) <= 1  # (out, in)
    same = np.eye(C, dtype=bool)
    assert (reaches(FULL, C, P) == near[None, :, None, :]).all()
    assert (reaches(DEPTHWISE, C, P) == same[:, None, :, None] & near[None, :, None, :]).all()
    here = np.eye(P, dtype=bool)
    assert (reaches(POINTWISE, C, P) == here[None, :, None, :]).all()


def test_reaches_depends_on_what_the_layer_computes():
    shuffled = nn.Sequential(DEPTHWISE, nn.ChannelShuffle(2))
    assert not (reaches(shuffled, C, P) == reaches(DEPTHWISE, C, P)).all()


def test_each_product_is_one_line_and_titles_count_them():
    figure = plot_paths(LAYERS, C, P)
    drawn = {axes.get_title().split("\n")[0]: lines(axes) for axes in figure.axes}
    assert drawn == {"full": C * C * 3, "depthwise": C * 3, "pointwise": C * C, "both": C * C + C * 3}
    assert [axes.get_title().split("\n")[1] for axes in figure.axes] == [f"{n} products" for n in drawn.values()]


@pytest.mark.parametrize("figure", [None, Figure(figsize=(9, 4), layout="constrained")])
def test_texts_do_not_overlap_and_a_given_figure_is_used(figure):
    drawn = plot_paths(LAYERS, C, P, figure)
    assert figure is None or drawn is figure
    check_layout(drawn)
