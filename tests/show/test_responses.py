"""Activations as curves: each drawn with its true slope, labelled, apart without colour."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from torch import nn

from ablation.show.responses import plot_responses
from tests.show.looks import check, words

BOTH = {"ReLU": nn.ReLU(), "GELU": nn.GELU()}


def test_responses_and_slopes_are_those_of_the_activation():
    responses, slopes = plot_responses(BOTH, reach=3.0).axes
    relu, gelu = (line for line in slopes.lines if line.get_label() in BOTH)
    x = np.asarray(relu.get_xdata())
    assert x.min() == -3 and x.max() == 3
    assert np.asarray(relu.get_ydata()) == pytest.approx((x > 0).astype(float))
    assert np.asarray(gelu.get_ydata())[len(x) // 2] == pytest.approx(0.5)
    curve = next(line for line in responses.lines if line.get_label() == "GELU")
    assert np.asarray(curve.get_ydata()).min() == pytest.approx(-0.17, abs=0.01)


def test_it_is_labelled_and_told_apart_without_colour():
    figure = plot_responses({**BOTH, "SiLU": nn.SiLU(), "Tanh": nn.Tanh()})
    check(figure)
    assert {"input", "output", "slope of the output"} <= {text for text, _ in words(figure)}
    assert (
        len(
            {
                line.get_linestyle()
                for line in figure.axes[0].lines
                if line.get_label() in ("ReLU", "GELU", "SiLU", "Tanh")
            }
        )
        == 4
    )


def test_a_figure_that_is_given_is_drawn_into_and_none_is_shown():
    before, given = plt.get_fignums(), Figure(figsize=(7, 3))
    assert plot_responses(BOTH, figure=given) is given and len(given.axes) == 2
    assert plt.get_fignums() == before
