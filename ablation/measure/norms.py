"""Statistics of normalisation layers: standard deviation of input and output, drift from the running statistics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from .calls import each_call
from .features import run
from .modes import as_images, evaluating

NORMS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)


@dataclass(frozen=True)
class NormStatistics:
    """Statistics of one call of a normalisation layer.

    Args:
        name: name of the layer.
        kind: class name of the layer.
        spread_in, spread_out: standard deviation over all elements of the input and of the output.
        largest_in: largest absolute element of the input, in units of `spread_in`.
        drift: for batch normalisation, mean over channels of |mean of this batch - running mean| / running standard
            deviation; None for norms without running statistics.
    """

    name: str
    kind: str
    spread_in: float
    spread_out: float
    largest_in: float
    drift: float | None


def norm_statistics(module: nn.Module, images: Tensor) -> tuple[NormStatistics, ...]:
    """Run images through a network in eval mode and compute statistics of every normalisation layer.

    Args:
        module: any network.
        images: (N, C, H, W), normalised as the network expects.

    Returns:
        One entry per call of a normalisation layer, in the order of the forward pass.

    Raises:
        AblationError: if the network has no such layer, or cannot be run on the images.

    >>> [row.kind for row in norm_statistics(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), torch.rand(2, 3, 8, 8))]
    ['BatchNorm2d']
    """
    return each_call(module, images, NORMS, "normalisation", _statistics)


def take_statistics(module: nn.Module, images: Tensor) -> nn.Module:
    """Set the running statistics of all batch norms to those of these images, in place, and return the module.

    Useful for random weights, where the initial running statistics do not match the activations.

    Raises:
        AblationError: if the network cannot be run on the images; its running statistics have been reset by then.
    """
    norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    momenta = [part.momentum for part in norms]
    images = as_images(module, images)
    with evaluating(module), torch.no_grad():
        try:
            for part in norms:
                part.reset_running_stats()
                part.momentum = None  # a cumulative average instead of an exponential one
                part.train()
            if norms:
                run(module, images)
        finally:
            for part, momentum in zip(norms, momenta, strict=True):
                part.momentum = momentum
    return module


def _statistics(name: str, layer: nn.Module, inputs: Tensor, output: Tensor) -> NormStatistics:
    x = inputs.detach().double()
    spread = float(x.std())
    largest = float(x.abs().max()) / max(spread, 1e-30)
    return NormStatistics(name, type(layer).__name__, spread, float(output.double().std()), largest, _drift(layer, x))


def _drift(layer: nn.Module, x: Tensor) -> float | None:
    mean: Any = getattr(layer, "running_mean", None)
    var: Any = getattr(layer, "running_var", None)
    if mean is None or var is None:
        return None
    batch = x.transpose(0, 1).flatten(1).mean(1)  # (C,)
    return float(((batch - mean.double()).abs() / var.double().sqrt().clamp_min(1e-12)).mean())
