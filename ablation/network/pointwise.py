"""Strided 1x1 convolution of few channels, kept away from a fault of oneDNN.

oneDNN, which convolves on CPUs, writes past its working memory when it computes the gradient of a strided 1x1 kernel of fewer
input channels than a register holds (8 with AVX2, 16 with AVX-512), in channels-last memory (uxlfoundation/oneDNN issue
6035, open in November 2026): the gradient is wrong, or the process dies. Taking every second position first and
convolving with stride 1 is the same function and takes another way through it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .lean import is_plain_on_cpu

_REGISTER = 16  # float32 numbers in the longest register there is


class PointwiseConv2d(nn.Conv2d):
    """A 1x1 convolution: (N, C, H, W) -> (N, out_chs, H / stride, W / stride). Its state is that of `nn.Conv2d`."""

    def __init__(self, in_chs: int, out_chs: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(in_chs, out_chs, kernel_size=1, stride=stride, bias=bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        down, right = self.stride
        if self.in_channels < _REGISTER and down > 1 and torch.is_grad_enabled() and is_plain_on_cpu(input):
            return nn.functional.conv2d(input[..., ::down, ::right], weight, bias)
        return super()._conv_forward(input, weight, bias)
