"""The map of an effective receptive field with typical mistakes: what an exercise of notebook 04 compares an answer with.

The right map is the library's, `ablation.measure.receptive_field`; this one repeats its definition, so that parts of it can be
left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def gradient_map(
    network: nn.Module,
    images: Tensor,
    layer: str,
    centre: Callable[[int], int] = lambda side: side // 2,
    output: Callable[[Tensor], Tensor] = Tensor.relu,
    gradient: Callable[[Tensor], Tensor] = Tensor.relu,
) -> Tensor:
    """Return how much each pixel contributes to the centre of a layer's output, (H, W), as a mean over images.

    Args:
        network: run in the mode that it has; a copy is used, so the network is not changed.
        images: (N, C, H, W).
        layer: name of the layer, whose output is (N, C, h, w).
        centre: side of the layer's output in positions -> the position that is used.
        output, gradient: what is done to the values of the centre and to the gradient with respect to the images.
    """
    network, images = copy.deepcopy(network), images.clone().requires_grad_()
    found: list[Tensor] = []
    network.get_submodule(layer).register_forward_hook(lambda module, inputs, out: found.append(out))
    network(images)
    (maps,) = found
    values = maps[:, :, centre(maps.shape[2]), centre(maps.shape[3])]
    (slope,) = torch.autograd.grad(output(values).sum(), images)
    return gradient(slope).sum(1).mean(0)


def mistaken(network: nn.Module, images: Tensor, layer: str, last: str) -> dict[str, Callable[[], Tensor]]:
    """Return the description of each typical mistake, and a function that makes it.

    Args:
        network: in evaluation mode.
        images: (N, C, H, W).
        layer: name of the layer of the exercise.
        last: name of the last layer that outputs a map.
    """

    def of(**options: Any) -> Callable[[], Tensor]:
        return lambda: gradient_map(network, images, layer, **options)

    right = of()
    return {
        "it takes the absolute value of the gradient, which the definition rectifies": of(gradient=Tensor.abs),
        "the gradient is not rectified": of(gradient=Tensor.clone),
        "the output is not rectified before its gradient is computed": of(output=Tensor.clone),
        "neither the output is rectified nor the gradient: it takes the absolute value": of(
            output=Tensor.clone, gradient=Tensor.abs
        ),
        "it takes another position than the central one of the definition": of(centre=lambda side: (side - 1) // 2),
        "the batch norms use the statistics of the batch: the network is not in evaluation mode": lambda: gradient_map(
            copy.deepcopy(network).train(), images, layer
        ),
        "it adds up the images, but the definition takes their mean": lambda: right() * len(images),
        "it takes the mean over the colours, but the definition adds them up": lambda: right() / images.shape[1],
        "it takes the last map, not that of the layer": lambda: gradient_map(network, images, last),
        "it is divided by its largest value": lambda: right() / right().max(),
        "it is divided by its sum": lambda: right() / right().sum(),
    }
