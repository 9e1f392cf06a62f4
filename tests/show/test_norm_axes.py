"""The elements that are drawn are those that a norm averages: an output depends on them and on no others."""

import itertools

import pytest
import torch
from matplotlib.patches import Polygon
from torch import nn

from ablation.network.layers import LayerNorm2d
from ablation.show.norm_axes import CHANNELS, IMAGES, NORMS, POSITIONS, corners, plot_norm_axes
from ablation.show.style import BLUE

LAYERS = {"BatchNorm": lambda: nn.BatchNorm2d(CHANNELS), "LayerNorm": lambda: LayerNorm2d(CHANNELS)}


@pytest.mark.parametrize("title", NORMS, ids=lambda title: title.split(":")[0])
def test_the_elements_of_one_mean_are_those_that_an_output_depends_on(title):
    member = NORMS[title]
    places = list(itertools.product(range(IMAGES), range(CHANNELS), range(POSITIONS)))
    drawn = {place for place in places if member(*place)}
    layer = LAYERS[title.split(":")[0]]().double()
    x = torch.randn(IMAGES, CHANNELS, POSITIONS, 1, dtype=torch.float64, requires_grad=True)
    image, channel, position = min(drawn)
    (gradient,) = torch.autograd.grad(layer(x)[image, channel, position, 0], x)
    assert {place for place in places if abs(gradient[(*place, 0)]) > 1e-9} == drawn


def test_only_visible_faces_are_drawn_and_those_of_the_mean_are_blue():
    figure = plot_norm_axes()
    faces = CHANNELS * POSITIONS + IMAGES * POSITIONS + IMAGES * CHANNELS
    for axes, blue in zip(figure.axes, (POSITIONS + IMAGES, CHANNELS + CHANNELS + 1), strict=True):
        patches = [patch for patch in axes.patches if isinstance(patch, Polygon)]
        assert len(patches) == faces
        shades = [patch.get_facecolor()[:3] for patch in patches]
        assert sum(max(shade) / min(x + 1e-9 for x in shade) > 2 for shade in shades) == blue
    assert max(BLUE) / (min(BLUE) + 1e-9) > 2


def test_faces_of_neighbours_share_an_edge():
    front, side, top = (corners(face, 0, 0, 0) for face in ("front", "side", "top"))
    assert set(front) & set(side) == {front[1], front[2]} and set(front) & set(top) == {front[2], front[3]}
