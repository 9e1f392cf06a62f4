"""What each activation of a network lets through: inputs below zero, closed elements, dead channels."""

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
CLOSED = 0.01  # a slope below it lets less than a hundredth of the gradient through


@dataclass(frozen=True)
class ActivationStatistics:
    """One call of an activation, in the order of the forward pass.

    Args:
        name: of the layer.
        kind: its class.
        negative: share of the elements it gets that are below zero.
        closed: share of the elements at which its slope is below `CLOSED` in size.
        dead: share of the channels that are closed at every position of every image.
    """

    name: str
    kind: str
    negative: float
    closed: float
    dead: float


def activation_statistics(module: nn.Module, images: Tensor) -> tuple[ActivationStatistics, ...]:
    """Run images through a network in eval mode and look at every activation layer.

    Args:
        module: any network whose activations are modules, such as `nn.ReLU`, and not calls of functions.
        images: (N, C, H, W), normalised as the network expects.

    Returns:
        One entry for each call of an activation layer, in the order of the forward pass.

    Raises:
        AblationError: if the network has no such layer, or cannot be run on the images.

    >>> closed = nn.Conv2d(1, 2, 1)
    >>> _ = nn.init.constant_(closed.bias, -10.0)
    >>> [row.dead for row in activation_statistics(nn.Sequential(closed, nn.ReLU()), torch.rand(2, 1, 8, 8))]
    [1.0]
    """
    return each_call(module, images, ACTIVATIONS, "activation", _look)


def _look(name: str, part: nn.Module, got: Tensor, gave: Tensor) -> ActivationStatistics:
    with torch.enable_grad():
        x = got.detach().double().requires_grad_()
        (slope,) = torch.autograd.grad(part.forward(x).sum(), x)  # not part(x), which would call the hook again
    closed = slope.abs() < CLOSED
    by_channel = closed.transpose(0, 1).flatten(1)  # (C, N positions)
    return ActivationStatistics(
        name,
        type(part).__name__,
        float((x < 0).double().mean()),
        float(closed.double().mean()),
        float(by_channel.all(1).double().mean()),
    )
