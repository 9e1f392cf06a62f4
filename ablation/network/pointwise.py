"""1x1 convolution that avoids a bug of oneDNN, and its overhead on small maps.

oneDNN computes convolutions on CPUs. It writes past its scratch memory when it computes the gradient of a strided 1x1 kernel
with fewer input channels than a register holds (8 with AVX2, 16 with AVX-512) in channels-last memory (uxlfoundation/oneDNN
issue 6035, open in November 2026): the gradient is wrong, or the process crashes. Slicing every second position first and
convolving with stride 1 computes the same function through other code.

On channels-last memory, a 1x1 convolution is a matrix product of positions and channels. On maps of at most 8 x 8 positions,
training uses the product, because oneDNN's convolution takes longer to start: with convolutions, a step of the ladder takes
1.1 to 1.7 times as long for 8 x 8 images at an eighth of the width, and 1.0 to 1.1 times for 32 x 32 images at a quarter (batch
of 64, one core, AVX-512, torch 2.15, November 2026). Results agree up to rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .tracing import is_traced

_REGISTER = 16  # float32 numbers in the largest register (AVX-512)
_FEW_POSITIONS = 64


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution: (N, C, H, W) -> (N, out_chs, H / stride, W / stride). Same state dict as `nn.Conv2d`."""

    def __init__(self, in_chs: int, out_chs: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(in_chs, out_chs, kernel_size=1, stride=stride, bias=bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        # A trace must record one convolution.
        if input.device.type == "cpu" and torch.is_grad_enabled() and not is_traced():
            down, right = self.stride
            if down > 1 and self.in_channels < _REGISTER:
                return F.conv2d(input[..., ::down, ::right], weight, bias)
            if down == 1 and self.training and _is_small(input):
                return product(input, as_matrix(weight), bias)
        return super()._conv_forward(input, weight, bias)


def as_matrix(weight: Tensor) -> Tensor:
    """Return the weights of a 1x1 convolution as (out_chs, C).

    Permuted first, so that their gradient gets the strides of channels-last weights; DDP warns about others.
    """
    return weight.permute(0, 2, 3, 1).flatten(1)


def product(x: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
    """Return a 1x1 convolution as a matrix product, in channels-last memory: (N, C, H, W) -> (N, out_chs, H, W)."""
    return F.linear(x.permute(0, 2, 3, 1), matrix, bias).permute(0, 3, 1, 2)


def _is_small(x: Tensor) -> bool:
    """Return whether x is a map of few positions in channels-last memory, computed in its own precision."""
    if x.ndim != 4 or torch.is_autocast_enabled("cpu"):
        return False
    # Not is_contiguous(memory_format=torch.channels_last), which vmap does not have.
    return x.shape[-2] * x.shape[-1] <= _FEW_POSITIONS and x.permute(0, 2, 3, 1).is_contiguous()
