"""Figures of activation functions: values, derivatives, labels and line styles."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from torch import nn

from ablation.show.responses import plot_responses
from tests.show.looks import check_layout, drawn_texts

BOTH = {"ReLU": nn.ReLU(), "GELU": nn.GELU()}


def test_responses_and_derivatives_are_correct():
    responses, slopes = plot_responses(BOTH, reach=3.0).axes
    relu, gelu = (line for line in slopes.lines if line.get_label() in BOTH)
    x = np.asarray(relu.get_xdata())
    assert x.min() == -3 and x.max() == 3
    assert np.asarray(relu.get_ydata()) == pytest.approx((x > 0).astype(float))
    assert np.asarray(gelu.get_ydata())[len(x) // 2] == pytest.approx(0.5)
    curve = next(line for line in responses.lines if line.get_label() == "GELU")
    assert np.asarray(curve.get_ydata()).min() == pytest.approx(-0.17, abs=0.01)


def test_curves_are_labelled_and_distinguishable_without_colour():
    figure = plot_responses({**BOTH, "SiLU": nn.SiLU(), "Tanh": nn.Tanh()})
    check_layout(figure)
    assert {"input", "output", "slope of the output"} <= {text for text, _ in drawn_texts(figure)}
    names = ("ReLU", "GELU", "SiLU", "Tanh")
    assert len({line.get_linestyle() for line in figure.axes[0].lines if line.get_label() in names}) == 4


def test_a_given_figure_is_used_and_none_is_displayed():
    before, given = plt.get_fignums(), Figure(figsize=(7, 3))
    assert plot_responses(BOTH, figure=given) is given and len(given.axes) == 2
    assert plt.get_fignums() == before
