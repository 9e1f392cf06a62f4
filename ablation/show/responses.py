"""Figures of activation functions: their output and their derivative."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from torch import nn

from .style import GREY, PAGE_INCHES, PALETTE, SMALL, new_figure, quiet

_DASHES = ("-", "--", "-.", ":")


def plot_responses(activations: Mapping[str, nn.Module], reach: float = 4.0, figure: Figure | None = None) -> Figure:
    """Plot activation functions and their derivatives side by side, for inputs from -reach to reach.

    Args:
        activations: title -> an element-wise activation function.
        reach: largest input.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure: responses on the left, derivatives on the right.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.5)
    responses, slopes = figure.subplots(1, 2)
    for axes in (responses, slopes):
        axes.axhline(0, color=GREY, linewidth=0.8, zorder=0)
        axes.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    for i, (title, activation) in enumerate(activations.items()):
        x = torch.linspace(-reach, reach, 401, dtype=torch.float64, requires_grad=True)
        y = activation(x)
        (slope,) = torch.autograd.grad(y.sum(), x)
        style = {"color": PALETTE[i], "linestyle": _DASHES[i % len(_DASHES)], "linewidth": 1.4, "label": title}
        responses.plot(x.detach().numpy(), y.detach().numpy(), **style)
        slopes.plot(x.detach().numpy(), slope.numpy(), **style)
    quiet(responses, "input", "output", "Response")
    quiet(slopes, "input", "slope of the output", "Gradient")
    for axes in (responses, slopes):
        axes.legend(fontsize=SMALL, frameon=False, loc="upper left")
    return figure
