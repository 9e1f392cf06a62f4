"""What each normalisation of a network gets and gives: spread by depth, and how far a batch is from the running statistics."""

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
    """One normalisation layer, in the order of the forward pass.

    Args:
        name: of the layer.
        kind: its class.
        spread_in, spread_out: standard deviation over all elements of what it gets and gives.
        largest_in: largest absolute element of what it gets, in those standard deviations.
        drift: for batch normalisation, mean over channels of |mean of this batch - running mean| over the running standard
            deviation; None for norms without running statistics.
    """

    name: str
    kind: str
    spread_in: float
    spread_out: float
    largest_in: float
    drift: float | None


def norm_statistics(module: nn.Module, images: Tensor) -> tuple[NormStatistics, ...]:
    """Run images through a network in eval mode and look at every normalisation layer.

    Args:
        module: any network.
        images: (N, C, H, W), normalised as the network expects.

    Returns:
        One entry for each call of a normalisation layer, in the order of the forward pass.

    Raises:
        AblationError: if the network has no such layer, or cannot be run on the images.

    >>> [row.kind for row in norm_statistics(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), torch.rand(2, 3, 8, 8))]
    ['BatchNorm2d']
    """
    return each_call(module, images, NORMS, "normalisation", _look)


def take_statistics(module: nn.Module, images: Tensor) -> nn.Module:
    """Set the running statistics of batch normalisation to those of these images, in place, and return the module.

    For looking at random weights, where the running statistics still say nothing about them.

    Raises:
        AblationError: if the network cannot be run on the images; its running statistics are then those of a new network.
    """
    norms = [part for part in module.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
    momenta = [part.momentum for part in norms]
    images = as_images(module, images)
    with evaluating(module), torch.no_grad():
        try:
            for part in norms:
                part.reset_running_stats()
                part.momentum = None  # a plain average
                part.train()
            if norms:
                run(module, images)
        finally:
            for part, momentum in zip(norms, momenta, strict=True):
                part.momentum = momentum
    return module


def _look(name: str, part: nn.Module, got: Tensor, gave: Tensor) -> NormStatistics:
    x = got.detach().double()
    spread = float(x.std())
    largest = float(x.abs().max()) / max(spread, 1e-30)
    return NormStatistics(name, type(part).__name__, spread, float(gave.double().std()), largest, _drift(part, x))


def _drift(part: nn.Module, x: Tensor) -> float | None:
    mean: Any = getattr(part, "running_mean", None)
    var: Any = getattr(part, "running_var", None)
    if mean is None or var is None:
        return None
    batch = x.transpose(0, 1).flatten(1).mean(1)  # (C,)
    return float(((batch - mean.double()).abs() / var.double().sqrt().clamp_min(1e-12)).mean())
