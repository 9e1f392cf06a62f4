"""Depthwise convolution whose kernels are trained quickly where they are larger than the map.

oneDNN, which convolves on CPUs, has no quick gradient for the kernels of a depthwise convolution on a map with fewer rows
than the kernel, as the last stages of networks for small images have: 64 images of 96 channels, 4 x 4 positions and 7 x 7
kernels took 8.9 ms where the convolution itself takes 0.2 ms (one core, AVX2, torch 2.15, November 2026). On such a
map there are so few pairs of positions that one can correlate them all: 0.7 ms, the same numbers but for rounding.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

from .lean import is_plain_on_cpu


class DepthwiseConv2d(nn.Conv2d):
    """One kernel per channel, zeros around: (N, C, H, W) -> (N, C, H / stride, W / stride). Its state is that of `nn.Conv2d`."""

    def __init__(self, channels: int, kernel_size: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(channels, channels, kernel_size, stride, kernel_size // 2, groups=channels, bias=bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.training and torch.is_grad_enabled() and _is_small(input, weight):
            result: Tensor = _Correlated.apply(input, weight, bias, self.stride[0])
            return result
        return super()._conv_forward(input, weight, bias)


def _is_small(x: Tensor, weight: Tensor) -> bool:
    return is_plain_on_cpu(x) and min(x.shape[-2:]) < weight.shape[-1]


class _Correlated(torch.autograd.Function):
    """The convolution itself; backwards, the kernels' gradient by correlating all positions put out with all put in."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, bias, stride, weight.shape[-1] // 2, groups=weight.shape[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            pad, channels = weight.shape[-1] // 2, weight.shape[0]
            of_x = conv2d_input(x.shape, weight, grad, ctx.stride, pad, groups=channels)
        if ctx.needs_input_grad[1]:
            of_weight = _kernel_gradient(x, grad, weight.shape[-1], ctx.stride)
        if ctx.needs_input_grad[2]:
            of_bias = grad.sum((0, 2, 3))
        return of_x, of_weight, of_bias, None


def _kernel_gradient(x: Tensor, grad: Tensor, k: int, stride: int) -> Tensor:
    """Sums over all pairs of a position put out and one put in, sorted by the kernel's element between the two."""
    n, channels, height, width = x.shape
    out_height, out_width = grad.shape[-2:]
    put_out = grad.permute(1, 2, 3, 0).reshape(channels, out_height * out_width, n)
    put_in = x.permute(1, 0, 2, 3).reshape(channels, n, height * width)
    pairs = torch.bmm(put_out, put_in).flatten(1)  # (C, P * Q)
    between = _between(height, out_height, width, out_width, k, stride, x.dtype)
    return (pairs @ between).view(channels, 1, k, k)


@cache
def _between(
    height: int, out_height: int, width: int, out_width: int, k: int, stride: int, dtype: torch.dtype
) -> Tensor:
    """Which element of the kernel lies between two positions: (P * Q, k * k), 1 or 0."""
    rows, columns = _along(height, out_height, k, stride), _along(width, out_width, k, stride)
    return torch.einsum("pqk,rsl->prqskl", rows, columns).reshape(-1, k * k).to(dtype)


def _along(put_in: int, put_out: int, k: int, stride: int) -> Tensor:
    """The same along one axis: (P, Q, k)."""
    element = torch.arange(put_in) - stride * torch.arange(put_out)[:, None] + k // 2  # (P, Q)
    return (element[..., None] == torch.arange(k)).double()
