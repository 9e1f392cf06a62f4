"""The norms and activations that a description names.

Every layer here takes and returns (N, C, H, W) in any memory format. Every activation is a separate module, never in place and
never used twice, so that attribution hooks see each one. Layer normalisation and layer scale are timm's: normalisation over the
channels at each position (Ba et al. 2016, arXiv 1607.06450) with eps 1e-6, as in the paper's code, and a learnt factor per
channel (Touvron et al. 2021, arXiv 2103.17239).
"""

from __future__ import annotations

import timm.layers
from timm.layers import fast_layer_norm
from torch import Tensor, nn

from ..design import registry
from .accelerator import keeps_precision


class LayerNorm2d(timm.layers.LayerNorm2d):
    """Normalisation over the channels of (N, C, H, W); on a GPU under autocast, a map in bf16 or fp16 is not cast to fp32."""

    def forward(self, x: Tensor) -> Tensor:
        if not keeps_precision(x):
            return super().forward(x)
        x = x.permute(0, 2, 3, 1)
        return fast_layer_norm(x, list(self.normalized_shape), self.weight, self.bias, self.eps).permute(0, 3, 1, 2)


_NORMS = {"batch": nn.BatchNorm2d, "layer": LayerNorm2d}
_ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "silu": nn.SiLU}


def norm(name: str, channels: int) -> nn.Module:
    """Return a new norm of that name over that many channels."""
    factory = registry.norm(name).factory
    return factory(channels) if factory else _NORMS[name](channels)


def activation(name: str, channels: int) -> nn.Module:
    """Return a new activation of that name for that many channels."""
    factory = registry.activation(name).factory
    return factory(channels) if factory else _ACTIVATIONS[name]()
