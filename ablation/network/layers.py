"""The layers that a description names: norms, activations, and the learnt factor at the end of a branch.

Every layer here takes and returns (N, C, H, W), whatever the memory format; every activation is a module of its own,
never in place and never used twice, so that attribution hooks see each one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..design import registry

LAYER_NORM_EPS = 1e-6  # the paper's code; torch's own default is 1e-5


class LayerNorm2d(nn.LayerNorm):
    """Layer normalisation over the channels at each position of a map (Ba et al. 2016, arXiv 1607.06450)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=LAYER_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 2, 3, 1)  # (N, H, W, C); a view, and no copy for channels-last memory
        x = F.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)
        return x.permute(0, 3, 1, 2)  # (N, C, H, W)


class LayerScale2d(nn.Module):
    """A learnt factor per channel (Touvron et al. 2021, arXiv 2103.17239)."""

    def __init__(self, channels: int, initial: float) -> None:
        super().__init__()
        self.initial = initial
        self.weight = nn.Parameter(torch.full((channels,), initial))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[:, None, None]

    def extra_repr(self) -> str:
        return f"{len(self.weight)}, initial={self.initial}"


_NORMS = {"batch": nn.BatchNorm2d, "layer": LayerNorm2d}
_ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


def norm(name: str, channels: int) -> nn.Module:
    """A new norm of that name over that many channels."""
    factory = registry.norm(name).factory
    return factory(channels) if factory else _NORMS[name](channels)


def activation(name: str, channels: int) -> nn.Module:
    """A new activation of that name for that many channels."""
    factory = registry.activation(name).factory
    return factory(channels) if factory else _ACTIVATIONS[name]()
