"""Strided 1x1 convolution of few channels that avoids a bug in oneDNN.

oneDNN, which computes convolutions on CPUs, writes past its scratch memory when it computes the gradient of a strided 1x1 kernel
with fewer input channels than a register holds (8 with AVX2, 16 with AVX-512) in channels-last memory (uxlfoundation/oneDNN
issue 6035, open in November 2026): the gradient is wrong, or the process crashes. Slicing every second position first and
convolving with stride 1 computes the same function through other code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .inplace import is_traced

_REGISTER = 16  # float32 numbers in the largest register (AVX-512)


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution: (N, C, H, W) -> (N, out_chs, H / stride, W / stride). Same state dict as `nn.Conv2d`."""

    def __init__(self, in_chs: int, out_chs: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(in_chs, out_chs, kernel_size=1, stride=stride, bias=bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        down, right = self.stride
        affected = self.in_channels < _REGISTER and down > 1 and input.device.type == "cpu"
        if affected and torch.is_grad_enabled() and not is_traced():  # a trace must record one convolution
            return nn.functional.conv2d(input[..., ::down, ::right], weight, bias)
        return super()._conv_forward(input, weight, bias)
