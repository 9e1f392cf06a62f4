"""Depthwise convolution with a fast gradient for kernels that are larger than the map.

oneDNN, which computes convolutions on CPUs, has no fast gradient for the kernels of a depthwise convolution on a map with fewer
rows than the kernel, as in the last stages of networks for small images: for 64 images of 96 channels, 4 x 4 positions and 7 x 7
kernels it takes 8.9 ms, and the convolution itself 0.2 ms (one core, AVX2, torch 2.15, November 2026). On such a map there are so
few pairs of positions that all of them can be correlated: 0.7 ms, with the same result up to rounding.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_input

from .tracing import is_traced


class DepthwiseConv2d(nn.Conv2d):
    """One kernel per channel, zero padding: (N, C, H, W) -> (N, C, H / stride, W / stride). Same state dict as `nn.Conv2d`."""

    def __init__(self, channels: int, kernel_size: int, stride: int = 1, bias: bool = True) -> None:
        super().__init__(channels, channels, kernel_size, stride, kernel_size // 2, groups=channels, bias=bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if self.training and torch.is_grad_enabled() and _is_small(input, weight):
            result: Tensor = _Correlated.apply(input, weight, bias, self.stride[0])
            return result
        return super()._conv_forward(input, weight, bias)


def _is_small(x: Tensor, weight: Tensor) -> bool:
    """Return whether x is a map on a CPU that is smaller than the kernel. A trace must record one convolution instead."""
    if type(x) is not Tensor or x.device.type != "cpu" or x.ndim != 4 or torch.is_autocast_enabled("cpu"):
        return False
    return min(x.shape[-2:]) < weight.shape[-1] and not is_traced()


class _Correlated(torch.autograd.Function):
    """The convolution, whose backward pass correlates all output positions with all input positions."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        return F.conv2d(x, weight, bias, stride, weight.shape[-1] // 2, groups=weight.shape[0])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None, int], output: Tensor) -> None:
        x, weight, _, ctx.stride = inputs
        ctx.save_for_backward(x, weight)
        ctx.save_for_forward(x, weight)

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

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor | None, weight_t: Tensor | None, bias_t: Tensor | None, _: None) -> Tensor:
        x, weight = ctx.saved_tensors

        def conv(x: Tensor, weight: Tensor) -> Tensor:
            return F.conv2d(x, weight, None, ctx.stride, weight.shape[-1] // 2, groups=weight.shape[0])

        tangent = conv(x if x_t is None else x_t, torch.zeros_like(weight) if x_t is None else weight)
        if weight_t is not None:
            tangent = tangent + conv(x, weight_t)
        return tangent if bias_t is None else tangent + bias_t[:, None, None]


def _kernel_gradient(x: Tensor, grad: Tensor, k: int, stride: int) -> Tensor:
    """Sum over all pairs of an output and an input position, grouped by the kernel element that connects them."""
    n, channels, height, width = x.shape
    out_height, out_width = grad.shape[-2:]
    outputs = grad.permute(1, 2, 3, 0).reshape(channels, out_height * out_width, n)
    inputs = x.permute(1, 0, 2, 3).reshape(channels, n, height * width)
    pairs = torch.bmm(outputs, inputs).flatten(1)  # (C, P * Q)
    connecting = torch.from_numpy(_connecting(height, out_height, width, out_width, k, stride)).to(x.dtype)
    return (pairs @ connecting).view(channels, 1, k, k)


@cache  # of arrays: a tensor made inside a function transform must not outlive it
def _connecting(height: int, out_height: int, width: int, out_width: int, k: int, stride: int) -> NDArray[np.float64]:
    """Return which kernel element connects two positions: (P * Q, k * k), 1 or 0."""
    rows, columns = _connecting_1d(height, out_height, k, stride), _connecting_1d(width, out_width, k, stride)
    return np.einsum("pqk,rsl->prqskl", rows, columns).reshape(-1, k * k)


def _connecting_1d(inputs: int, outputs: int, k: int, stride: int) -> NDArray[np.float64]:
    """Return the same along one axis: (P, Q, k)."""
    element = np.arange(inputs) - stride * np.arange(outputs)[:, None] + k // 2  # (P, Q)
    return (element[..., None] == np.arange(k)).astype(np.float64)
