"""Figures of images with known ground truth: outlines of masks, and dots at the shares."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ablation.show.marks import outline, plot_images, plot_shares
from ablation.show.style import new_figure
from tests.show.looks import check_layout, drawn_texts

METHODS = ("saliency", "integrated gradients", "Grad-CAM")
NETWORKS = ("kernel 7, trained", "kernel 3, trained", "untrained")


def shares():
    rows = [(m, n, 0.1 * i + 0.02 * j + 0.001 * seed, seed) for i, m in enumerate(METHODS) for j, n in enumerate(NETWORKS)
            for seed in range(3)]  # fmt: skip
    return pd.DataFrame(rows, columns=["method", "network", "share", "seed"])


def segments(axes):
    return {tuple(sorted(zip(line.get_xdata(), line.get_ydata(), strict=True))) for line in axes.lines}


def test_an_outline_separates_inside_from_outside():
    axes = new_figure(2, 2).subplots()
    axes.imshow(np.zeros((4, 5)))
    inside = np.zeros((4, 5), dtype=bool)
    inside[1, 2] = inside[1, 3] = True
    found = segments(outline(axes, inside))
    expected = {((1.5, 0.5), (2.5, 0.5)), ((2.5, 0.5), (3.5, 0.5)), ((1.5, 1.5), (2.5, 1.5)), ((2.5, 1.5), (3.5, 1.5)),
              ((1.5, 0.5), (1.5, 1.5)), ((3.5, 0.5), (3.5, 1.5))}  # fmt: skip
    assert found == expected


def test_an_outline_at_the_edge_is_closed():
    axes = new_figure(2, 2).subplots()
    assert len(segments(outline(axes, np.ones((2, 3), dtype=bool)))) == 10


def test_each_method_has_a_row_and_each_network_has_dots():
    axes = plot_shares(shares(), 0.0156).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(METHODS)
    for j, (name, dots) in enumerate(zip(NETWORKS, axes.collections, strict=True)):
        x, y = dots.get_offsets().T
        table = shares()[shares()["network"] == name]
        assert list(x) == pytest.approx(list(100 * table["share"])) and len(set(y)) == len(METHODS), j
    assert axes.lines[-1].get_xdata()[0] == pytest.approx(1.56)
    assert "share of the absolute attribution on the marks (%)" in {text for text, _ in drawn_texts(axes.figure)}


def test_images_share_one_grey_scale():
    images = np.arange(4 * 9).reshape(4, 3, 3)
    figure = plot_images(images, ["same", "different", "different", "same"])
    assert [axes.get_title() for axes in figure.axes] == ["same", "different", "different", "same"]
    assert {axes.images[0].get_clim() for axes in figure.axes} == {(0, 35)}


@pytest.mark.parametrize(
    "draw",
    [
        lambda f=None: plot_shares(shares(), 0.0156, f),
        lambda f=None: plot_images(np.ones((4, 3, 3)), ["different"] * 4, f),
    ],
)
def test_texts_do_not_overlap_and_a_given_figure_is_used(draw):
    check_layout(draw())
    before = plt.get_fignums()
    given = Figure(figsize=(9, 5), layout="constrained")
    assert draw(given) is given and given.axes and plt.get_fignums() == before
