"""What each activation of a network lets through: inputs below zero, closed elements, dead channels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import AblationError
from .features import run
from .modes import as_images, evaluating, first_input, out_of_place

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
    images = as_images(module, images)
    rows: list[ActivationStatistics] = []

    def note(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, inputs: Any, named: Any, output: Tensor) -> None:
            rows.append(_look(name, part, first_input(inputs, named)))

        return hook

    handles = [
        part.register_forward_hook(note(name), with_kwargs=True)
        for name, part in module.named_modules()
        if isinstance(part, ACTIVATIONS)
    ]
    if not handles:
        raise AblationError(f"{type(module).__name__} has no activation layer")
    try:
        with evaluating(module), out_of_place(module), torch.no_grad():
            run(module, images)
    finally:
        for handle in handles:
            handle.remove()
    return tuple(rows)


def _look(name: str, part: nn.Module, x: Tensor) -> ActivationStatistics:
    with torch.enable_grad():
        x = x.detach().double().requires_grad_()
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
