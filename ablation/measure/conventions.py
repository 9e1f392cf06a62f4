"""What other counters count, as our own rules over what a network runs.

Each rule turns a recording (layers, calls, kernels) into amounts by operator, in the counter's own unit except for a factor
of two. The rules follow the counters' source:

- fvcore 0.1.5, `fvcore/nn/flop_count.py` and `jit_handles.py`; timm's `benchmark.py` calls it.
- torch, `torch/utils/flop_counter.py`.
- thop 0.1.1, `thop/profile.py` and `thop/vision/basic_hooks.py`.
- torchinfo 1.8, `torchinfo/layer_info.py`.
- ptflops 0.7, `ptflops/aten_ops.py` and `ptflops/pytorch_ops.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from torch import nn
from torch.nn.modules.conv import _ConvNd

from .norms import NORMS
from .recording import FUSED_ATTENTION, Call, Kernel, Layer

CONVOLUTIONS, LINEAR, PRODUCTS = "convolutions", "linear layers", "attention and other products"
BIAS, NORM, POOLING, SOFTMAX = "bias", "norms", "pooling", "softmax"
ACTIVATION, UPSAMPLING, OTHER, DOUBLE = "activations", "upsampling", "other layers", "x2"
OPERATORS = (CONVOLUTIONS, LINEAR, PRODUCTS, BIAS, NORM, POOLING, SOFTMAX, ACTIVATION, UPSAMPLING, OTHER, DOUBLE)


class StopsError(Exception):
    """The counter stops with an error on this network; the message says at what."""


@dataclass(frozen=True)
class Recording:
    """What ran when a network was called once.

    Args:
        module: the network.
        calls, layers: see `recording.Recorder`.
    """

    module: nn.Module
    calls: tuple[Call, ...]
    layers: tuple[Layer, ...]


Amounts = Counter[str]


def paper(recording: Recording) -> Amounts:
    """Multiply-accumulates of convolutions, linear layers, attention and other products."""
    return _kernels(recording, lambda call, kernel: call.macs_of(kernel))


def torch_flops(recording: Recording) -> Amounts:
    """The same, where torch has a formula: not for a matrix times a vector or products without a sum."""
    known = ("mm", "addmm", "bmm", "baddbmm")

    def macs(call: Call, kernel: Kernel) -> int:
        has_formula = kernel.is_convolution or kernel.name in known or kernel.name.startswith(FUSED_ATTENTION)
        return kernel.macs if has_formula else 0

    return _kernels(recording, macs)


def fvcore(recording: Recording) -> Amounts:
    """Default total of FlopCountAnalysis: products that it knows in the trace, norms, adaptive pooling, upsampling."""
    amounts: Amounts = Counter()
    for call in recording.calls:
        for kernel in call.kernels:
            amounts[_family(call, kernel)] += _fvcore_macs(call, kernel)
            amounts[NORM] += _fvcore_norm(kernel)
            if kernel.name == "upsample_nearest2d":
                amounts[UPSAMPLING] += prod(kernel.output)
            elif kernel.name == "upsample_bilinear2d" or kernel.name.startswith("grid_sampler"):
                amounts[UPSAMPLING] += 4 * prod(kernel.output)
        amounts[PRODUCTS] += _fvcore_einsum(call) if call.name == "einsum" else 0
        amounts[POOLING] += prod(call.argument(0, "input")) if call.name == "adaptive_avg_pool2d" else 0
    return amounts


def timm(recording: Recording) -> Amounts:
    """fvcore's total with attention written out, and global pooling as a mean, which fvcore does not count."""
    amounts = fvcore(recording)
    root = type(recording.module).__name__
    pools = {
        f"{root}.{name}"
        for name, part in recording.module.named_modules()
        if type(part).__name__ == "SelectAdaptivePool2d"
    }
    for call in recording.calls:
        fused = call.name == "scaled_dot_product_attention"
        amounts[PRODUCTS] += sum(kernel.macs for kernel in call.kernels if not call.is_layer(kernel)) if fused else 0
        if call.name == "adaptive_avg_pool2d" and pools & call.modules:
            amounts[POOLING] -= prod(call.argument(0, "input"))
    return amounts


def ptflops(recording: Recording) -> Amounts:
    """Its default backend, aten: dispatched convolutions with their bias, and matrix products without one."""
    amounts = _kernels(
        recording,
        lambda call, kernel: kernel.macs if kernel.is_convolution or kernel.name in ("mm", "addmm", "bmm") else 0,
    )
    for call in recording.calls:
        for kernel in call.kernels:
            if kernel.is_convolution and kernel.arguments[2] is not None:
                amounts[BIAS] += prod(kernel.output)
    return amounts


def torchinfo(recording: Recording) -> Amounts:
    """Parameters named weight or bias of layers without children, times the positions of convolutions only."""
    amounts: Amounts = Counter()
    for layer in recording.layers:
        part, output = layer.module, layer.output
        if any(part.children()):
            continue
        by_position = "Conv" in type(part).__name__
        for name, parameter in part.named_parameters():
            if name in ("weight", "bias"):
                times = output[0] * (prod(output[2:]) if by_position else 1)
            elif "weight" in name or "bias" in name:
                times = prod(output[:2])
            else:
                continue
            operator = {_ConvNd: CONVOLUTIONS, nn.Linear: LINEAR}
            kind = next((value for base, value in operator.items() if isinstance(part, base)), None)
            if kind and name == "bias":
                kind = BIAS
            amounts[kind or (NORM if isinstance(part, NORMS) else OTHER)] += parameter.numel() * times
    return amounts


def _kernels(recording: Recording, macs: Callable[[Call, Kernel], int]) -> Amounts:
    amounts: Amounts = Counter()
    for call in recording.calls:
        for kernel in call.kernels:
            amounts[_family(call, kernel)] += macs(call, kernel)
    return amounts


def _family(call: Call, kernel: Kernel) -> str:
    if kernel.is_convolution:
        return CONVOLUTIONS
    return LINEAR if call.is_layer(kernel) else PRODUCTS


def _fvcore_macs(call: Call, kernel: Kernel) -> int:
    """Return what fvcore counts for a convolution or matrix product, given the function in the trace that ran it."""
    if kernel.is_convolution:  # padding given as a word is another operator in the trace
        return 0 if isinstance(call.argument(4, "padding"), str) else kernel.macs
    if call.name == "linear":
        x, weight = call.argument(0, "input"), call.argument(1, "weight")
        return prod(x) * weight[0] if kernel.macs else 0
    if call.is_layer(kernel) or call.name in ("mm", "bmm"):
        return kernel.macs
    if call.name == "multi_head_attention_forward" and kernel.name == "bmm":
        return kernel.macs
    if call.name in ("matmul", "rmatmul") and kernel.macs:
        first, second = call.argument(0, "input"), call.argument(1, "other")
        if call.name == "rmatmul":
            first, second = second, first
        if len(second) < 2 or first[-1] != second[-2]:
            raise StopsError("a product with a vector")
        return prod(first) * second[-1]
    return 0


def _fvcore_norm(kernel: Kernel) -> int:
    if kernel.name == "native_layer_norm":
        return prod(kernel.output) * (4 if kernel.arguments[2] is None else 5)
    if kernel.name == "native_group_norm":
        return prod(kernel.output) * (4 if kernel.arguments[1] is None else 5)
    if "batch_norm" in kernel.name:  # instance norms run as one, in training mode
        training = "no_training" not in kernel.name and any(argument is True for argument in kernel.arguments[3:])
        return prod(kernel.output) * (1 + 3 * training + (kernel.arguments[1] is not None))
    return 0


def _fvcore_einsum(call: Call) -> int:
    """Return what fvcore reads from the printed report of NumPy's path, which has four digits."""
    equation = str(call.arguments[0]).replace(" ", "")
    shapes: list[Any] = list(call.arguments[1:])
    order = dict.fromkeys(filter(str.isalpha, equation))
    plain = equation.translate({ord(index): 97 + place for place, index in enumerate(order)})
    if plain == "abc,abd->acd":
        return prod(shapes[0]) * shapes[-1][-1]
    if plain == "abc,adc->adb":
        return prod(shapes[0]) * shapes[-1][1]
    empty = [np.broadcast_to(np.zeros(()), shape) for shape in shapes]
    report = str(np.einsum_path(plain, *empty, optimize="optimal")[1]).lower()
    printed = next(line for line in report.split("\n") if "optimized flop" in line)
    return int(float(printed.split(":")[-1]) / 2)
