"""What thop and ptflops' other backend count: both know modules by their exact class, with a rule for each class.

A subclass, such as timm's LayerNorm2d, and a function called without its module are not counted. Sources as in
`conventions`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from math import prod

from torch import nn

from .conventions import (
    ACTIVATION,
    BIAS,
    CONVOLUTIONS,
    LINEAR,
    NORM,
    OTHER,
    POOLING,
    PRODUCTS,
    SOFTMAX,
    UPSAMPLING,
    Amounts,
    Recording,
)
from .recording import Layer

ClassRule = Callable[[Layer], Mapping[str, int]]

_CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)
_MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)
_AVG_POOLS = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
_ADAPTIVE_MAX_POOLS = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
_ADAPTIVE_AVG_POOLS = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
_UPSAMPLES = (nn.Upsample, nn.UpsamplingBilinear2d, nn.UpsamplingNearest2d)
_PER_UPSAMPLED = {"nearest": 1, "linear": 5, "bilinear": 11, "bicubic": 259}


def thop(recording: Recording) -> Amounts:
    """Multiply-accumulates by class of module, without biases, with 2 or 4 operations per normalised element."""
    return _by_class(recording, _THOP, hooks_per_visit=True)


def ptflops_modules(recording: Recording) -> Amounts:
    """Multiply-accumulates by class of module, with biases, poolings, norms and activations."""
    return _by_class(recording, _PTFLOPS, hooks_per_visit=False)


def _by_class(recording: Recording, rules: Mapping[type, ClassRule], hooks_per_visit: bool) -> Amounts:
    """Apply a rule to each call of a module; one that several parents share counts again for each, as in its source.

    Args:
        recording: what ran.
        rules: class of module -> rule.
        hooks_per_visit: whether the counter also hooks a module once per parent, so that a call counts several times.
    """
    visits = _visits(recording.module, rules)
    amounts: Amounts = Counter()
    for layer in recording.layers:
        rule = rules.get(type(layer.module))
        for operator, amount in rule(layer).items() if rule else ():
            amounts[operator] += amount * visits[layer.module] ** (2 if hooks_per_visit else 1)
    return amounts


def _visits(module: nn.Module, rules: Mapping[type, ClassRule]) -> Counter[nn.Module]:
    """Return how often each module's total is added: once per parent that holds it."""
    visits = Counter([module])
    if type(module) not in rules:
        for child in module.children():
            visits += _visits(child, rules)
    return visits


def _thop_conv(layer: Layer) -> dict[str, int]:
    """For a transposed convolution, too, it takes the positions of the output."""
    conv, x = layer.module, layer.inputs[0]
    return {CONVOLUTIONS: prod(layer.output) * (x[1] // conv.groups) * prod(conv.weight.shape[2:])}


def _thop_norm(layer: Layer) -> dict[str, int]:
    affine = getattr(layer.module, "affine", False) or getattr(layer.module, "elementwise_affine", False)
    return {NORM: prod(layer.inputs[0]) * (4 if affine else 2)}


def _thop_adaptive_pool(layer: Layer) -> dict[str, int]:
    window = 1.0
    for before, after in zip(layer.inputs[0][2:], layer.output[2:], strict=True):
        window *= before / after
    return {POOLING: int((window + 1) * prod(layer.output))}


def _thop_softmax(layer: Layer) -> dict[str, int]:
    """An exponential and a division per element, and a sum."""
    features = layer.inputs[0][layer.module.dim]
    return {SOFTMAX: prod(layer.inputs[0]) // features * (3 * features - 1)}


def _thop_upsample(layer: Layer) -> dict[str, int]:
    return {UPSAMPLING: _PER_UPSAMPLED.get(str(layer.module.mode), 0) * prod(layer.output)}


def _linear(layer: Layer) -> dict[str, int]:
    return {LINEAR: prod(layer.output) * layer.inputs[0][-1]}


def _input_elements(operator: str, times: int = 1) -> ClassRule:
    return lambda layer: {operator: times * prod(layer.inputs[0])}


def _output_elements(operator: str) -> ClassRule:
    return lambda layer: {operator: prod(layer.output)}


def _ptflops_conv(layer: Layer) -> dict[str, int]:
    """For a transposed convolution, too, it takes the positions of the output."""
    conv, positions = layer.module, layer.inputs[0][0] * prod(layer.output[2:])
    bias = conv.out_channels * positions if conv.bias is not None else 0
    return {CONVOLUTIONS: conv.weight.numel() * positions, BIAS: bias}


def _ptflops_linear(layer: Layer) -> dict[str, int]:
    """The bias counts once, not once per position."""
    return {**_linear(layer), BIAS: layer.output[-1] * (layer.module.bias is not None)}


def _ptflops_norm(layer: Layer) -> dict[str, int]:
    """A LayerNorm has no attribute of this name, so it counts as one without weights."""
    return {NORM: prod(layer.inputs[0]) * (2 if getattr(layer.module, "affine", False) else 1)}


def _ptflops_attention(layer: Layer) -> dict[str, int]:
    query, key, value = layer.inputs[:3]
    part = layer.module
    images, place = (query[0], 1) if part.batch_first else (query[1], 0)
    n, s, width = query[place], key[place], query[2]
    heads = part.num_heads
    projections = n * width**2 + s * key[2] ** 2 + value[place] * value[2] ** 2 + n * value[2] ** 2
    biases = n * value[2] + (n + s + value[place]) * width * (part.in_proj_bias is not None)
    return {
        LINEAR: images * projections,
        BIAS: images * biases,
        PRODUCTS: images * heads * n * s * (width // heads + value[2] // heads),
        SOFTMAX: images * heads * n * s,
        OTHER: images * n * width,  # scaling of the queries
    }


def _rules(*pairs: tuple[tuple[type, ...], ClassRule]) -> dict[type, ClassRule]:
    return {kind: rule for kinds, rule in pairs for kind in kinds}


_THOP = _rules(
    (_CONVS, _thop_conv),
    ((*_BATCH_NORMS, *_INSTANCE_NORMS, nn.LayerNorm, nn.SyncBatchNorm), _thop_norm),
    ((nn.PReLU,), _input_elements(ACTIVATION)),
    ((nn.Softmax,), _thop_softmax),
    (_AVG_POOLS, _output_elements(POOLING)),
    (_ADAPTIVE_AVG_POOLS, _thop_adaptive_pool),
    ((nn.Linear,), _linear),
    (_UPSAMPLES, _thop_upsample),
)
_PTFLOPS = _rules(
    (_CONVS, _ptflops_conv),
    ((nn.ReLU, nn.PReLU, nn.ELU, nn.LeakyReLU, nn.ReLU6, nn.GELU), _output_elements(ACTIVATION)),
    ((*_MAX_POOLS, *_AVG_POOLS, *_ADAPTIVE_MAX_POOLS, *_ADAPTIVE_AVG_POOLS), _input_elements(POOLING)),
    ((*_BATCH_NORMS, *_INSTANCE_NORMS, nn.GroupNorm, nn.LayerNorm), _ptflops_norm),
    ((nn.Linear,), _ptflops_linear),
    ((nn.Upsample,), _output_elements(UPSAMPLING)),
    ((nn.MultiheadAttention,), _ptflops_attention),
)
