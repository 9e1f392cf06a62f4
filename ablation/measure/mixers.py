"""Two layers that mix seven by seven positions, ready to compare: Swin's window attention and a depthwise convolution.

Both are given the same maps: what the first block of timm's Swin-T (Liu et al. 2021, arXiv 2103.14030) gets from images.
Weights are random: no trained ones can be had without a download.
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

WINDOWED, WINDOW = "swin_tiny_patch4_window7_224", 7
_WINDOWS = 3  # a side: one in the middle, and its neighbours
_PATCH = 4  # pixels a side of a position


@dataclass(frozen=True)
class Mixers:
    """The two layers and what they are given.

    Args:
        maps: (N, H, W, C), what Swin's first block normalises and attends over: up to three windows a side.
        attention: window attention without its shift, (N, H, W, C) to the same.
        convolution: depthwise, 7 x 7, with as many channels, (N, C, H, W) to the same.
    """

    maps: Tensor
    attention: nn.Module
    convolution: nn.Module

    @property
    def layers(self) -> dict[str, tuple[nn.Module, Tensor, str]]:
        """Name -> layer, the maps as it takes them, and their layout, as `jacobian_change` wants them."""
        return {
            "7 x 7 depthwise\nconvolution": (self.convolution, self.maps.permute(0, 3, 1, 2), "NCHW"),
            "7 x 7 window\nattention": (self.attention, self.maps, "NHWC"),
        }


def mixers(pixels: Tensor, sharp: bool = True, seed: int = 0) -> Mixers:
    """Make both layers, and maps for them from images.

    Args:
        pixels: (N, 3, S, S) from 0 to 1.
        sharp: draw the matrices of attention so that queries and keys keep the spread of what they are made from. At their
            initial 0.02 they are so short that every position of a window weighs nearly the same.
        seed: of the weights; the caller's random numbers stay where they are.

    Raises:
        AblationError: if the images are smaller than one window.
    """
    if min(pixels.shape[-2:]) < _PATCH * WINDOW:
        size = " x ".join(map(str, pixels.shape[-2:]))
        raise AblationError(f"images of {size} are smaller than a window: {_PATCH * WINDOW} pixels a side or more")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        swin: Any = timm.create_model(WINDOWED, img_size=pixels.shape[-1])
        block = swin.layers[0].blocks[0]
        if sharp:
            for parameter in block.attn.parameters():
                if parameter.ndim > 1:
                    nn.init.normal_(parameter, std=parameter.shape[-1] ** -0.5)
        channels = block.norm1.normalized_shape[0]
        convolution = nn.Conv2d(channels, channels, WINDOW, padding=WINDOW // 2, groups=channels)
    with torch.no_grad():
        maps = block.norm1(run(swin.patch_embed, normalise(pixels, *normalisation(swin, 3))))  # (N, H, W, C)
    first = max(maps.shape[1] // 2 // WINDOW * WINDOW - WINDOW, 0)
    some = slice(first, first + _WINDOWS * WINDOW)
    return Mixers(maps[:, some, some], _Attention(block), convolution)


class _Attention(nn.Module):
    """Window attention of a block of timm's Swin, windows cut and put together: (N, H, W, C) to the same."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        return self.block._attn(x)
