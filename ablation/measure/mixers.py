"""Two layers that mix 7 x 7 positions, for comparison: Swin's window attention and a depthwise convolution.

Both get the same feature maps: the input of the first block of timm's Swin-T (Liu et al. 2021, arXiv 2103.14030).
The weights are random unless timm's are requested, which are downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import Tensor, nn

from ..errors import AblationError
from .features import run
from .images import normalisation, normalise

_SWIN, WINDOW = "swin_tiny_patch4_window7_224", 7
_WINDOWS = 3  # per side: the middle one and its neighbours
_PATCH = 4  # side of a position in pixels


@dataclass(frozen=True)
class Mixers:
    """The two layers and their input.

    Args:
        maps: (N, H, W, C), the normalised input of the attention in Swin's first block: up to three windows per side.
        attention: window attention without shift, (N, H, W, C) -> (N, H, W, C).
        convolution: 7 x 7 depthwise convolution with the same number of channels, (N, C, H, W) -> (N, C, H, W).
    """

    maps: Tensor
    attention: nn.Module
    convolution: nn.Module

    @property
    def layers(self) -> dict[str, tuple[nn.Module, Tensor, str]]:
        """Name -> (layer, maps in its layout, layout): the arguments of `jacobian_change`."""
        return {
            "7 x 7 depthwise\nconvolution": (self.convolution, self.maps.permute(0, 3, 1, 2), "NCHW"),
            "7 x 7 window\nattention": (self.attention, self.maps, "NHWC"),
        }


def mixers(pixels: Tensor, sharp: bool = True, seed: int = 0, pretrained: bool = False) -> Mixers:
    """Create both layers and compute feature maps for them from images.

    Args:
        pixels: (N, 3, S, S), from 0 to 1.
        sharp: initialise the attention matrices so that queries and keys keep the standard deviation of their input.
            With the default standard deviation of 0.02, queries and keys are so small that all positions of a window
            get nearly the same weight.
        seed: seed of the weights; the caller's random state is not changed.
        pretrained: take the weights of Swin, not those of the convolution, from timm's training on ImageNet, as they are;
            requires access to its hub, whose errors are raised.

    Raises:
        AblationError: if the images are smaller than one window.
    """
    if min(pixels.shape[-2:]) < _PATCH * WINDOW:
        size = " x ".join(map(str, pixels.shape[-2:]))
        raise AblationError(
            f"images of {size} are smaller than a window; the minimum is {_PATCH * WINDOW} x {_PATCH * WINDOW} pixels"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        swin: Any = timm.create_model(_SWIN, pretrained=pretrained, img_size=pixels.shape[-1])
        block = swin.layers[0].blocks[0]
        if sharp and not pretrained:
            for parameter in block.attn.parameters():
                if parameter.ndim > 1:
                    nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
        channels = block.norm1.normalized_shape[0]
        convolution = nn.Conv2d(channels, channels, WINDOW, padding=WINDOW // 2, groups=channels)
    with torch.no_grad():
        maps = block.norm1(run(swin.patch_embed, normalise(pixels, *normalisation(swin, 3))))  # (N, H, W, C)
    first = max(maps.shape[1] // 2 // WINDOW * WINDOW - WINDOW, 0)
    middle = slice(first, first + _WINDOWS * WINDOW)
    return Mixers(maps[:, middle, middle], _Attention(block), convolution)


class _Attention(nn.Module):
    """Window attention of a timm Swin block, including window partition and merging: (N, H, W, C) -> (N, H, W, C)."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        return self.block._attn(x)
