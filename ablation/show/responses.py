"""Activations as curves: what each puts out, and how much of the gradient it lets through."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from matplotlib.figure import Figure
from torch import nn

from .style import GREY, PAGE_INCHES, PALETTE, SMALL, new_figure, quiet

_DASHES = ("-", "--", "-.", ":")


def plot_responses(activations: Mapping[str, nn.Module], reach: float = 4.0, figure: Figure | None = None) -> Figure:
    """Draw activations and their slopes over inputs from -reach to reach, side by side.

    Args:
        activations: title -> an element-wise activation.
        reach: largest input.
        figure: to draw into; a new one by default.

    Returns:
        The figure: responses on the left, slopes on the right.
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
        look = {"color": PALETTE[i], "linestyle": _DASHES[i % len(_DASHES)], "linewidth": 1.4, "label": title}
        responses.plot(x.detach().numpy(), y.detach().numpy(), **look)
        slopes.plot(x.detach().numpy(), slope.numpy(), **look)
    quiet(responses, "input", "output", "Response")
    quiet(slopes, "input", "slope of the output", "Gradient")
    for axes in (responses, slopes):
        axes.legend(fontsize=SMALL, frameon=False, loc="upper left")
    return figure
