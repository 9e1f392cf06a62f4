"""The norms and activations that a description names.

Every layer here takes and returns (N, C, H, W) in any memory format. Every activation is a separate module, never in place and
never used twice, so that attribution hooks see each one. Layer normalisation and layer scale are timm's: normalisation over the
channels at each position (Ba et al. 2016, arXiv 1607.06450) with eps 1e-6, as in the paper's code, and a learnt factor per
channel (Touvron et al. 2021, arXiv 2103.17239).
"""

from __future__ import annotations

from timm.layers import LayerNorm2d
from torch import nn

from ..design import registry

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
