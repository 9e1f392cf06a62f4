"""Statistics of the activation layers of a network: negative inputs, closed elements, dead channels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .calls import each_call

ACTIVATIONS = (
    nn.ReLU,
    nn.GELU,
    nn.SiLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.Hardswish,
    nn.Mish,
    nn.Sigmoid,
    nn.Tanh,
)
CLOSED = 0.01  # below this slope, less than a hundredth of the gradient passes


@dataclass(frozen=True)
class ActivationStatistics:
    """Statistics of one call of an activation layer.

    Args:
        name: name of the layer.
        kind: class name of the layer.
        negative: share of the input elements that are below zero.
        closed: share of the elements at which the absolute slope is below `CLOSED`.
        dead: share of the channels that are closed at every position of every image.
    """

    name: str
    kind: str
    negative: float
    closed: float
    dead: float


def activation_statistics(module: nn.Module, images: Tensor) -> tuple[ActivationStatistics, ...]:
    """Run images through a network in eval mode and compute statistics of every activation layer.

    Args:
        module: any network whose activations are modules, such as `nn.ReLU`; function calls are not seen.
        images: (N, C, H, W), normalised as the network expects.

    Returns:
        One entry per call of an activation layer, in the order of the forward pass.

    Raises:
        AblationError: if the network has no such layer, or cannot be run on the images.

    >>> closed = nn.Conv2d(1, 2, 1)
    >>> _ = nn.init.constant_(closed.bias, -10.0)
    >>> [row.dead for row in activation_statistics(nn.Sequential(closed, nn.ReLU()), torch.rand(2, 1, 8, 8))]
    [1.0]
    """
    return each_call(module, images, ACTIVATIONS, "activation", _statistics)


def _statistics(name: str, layer: nn.Module, inputs: Tensor, output: Tensor) -> ActivationStatistics:
    with torch.enable_grad():
        x = inputs.detach().double().requires_grad_()
        (slope,) = torch.autograd.grad(layer.forward(x).sum(), x)  # not layer(x), which would call the hook again
    closed = slope.abs() < CLOSED
    by_channel = closed.transpose(0, 1).flatten(1)  # (C, N positions)
    return ActivationStatistics(
        name,
        type(layer).__name__,
        float((x < 0).double().mean()),
        float(closed.double().mean()),
        float(by_channel.all(1).double().mean()),
    )
