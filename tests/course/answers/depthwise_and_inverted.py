"""Answers to the exercises of notebook 03."""

import torch
from torch import nn


def separable(c, d, k, side, stride=1):
    out = -(-side // stride)
    return (k * k * c + c * d) * out * out


def at_input_size(c, d, k, side, stride=1):
    return (k * k * c + c * d) * side * side


def pointwise_at_input_size(c, d, k, side, stride=1):
    out = -(-side // stride)
    return k * k * c * out * out + c * d * side * side


def full(c, d, k, side, stride=1):
    return k * k * c * d * (-(-side // stride)) ** 2


def rounded_down(c, d, k, side, stride=1):
    return (k * k * c + c * d) * (side // stride) ** 2


def flops(c, d, k, side, stride=1):
    return 2 * separable(c, d, k, side, stride)


def linear(conv, bias=True, transposed=False):
    layer = nn.Linear(conv.in_channels, conv.out_channels, bias=conv.bias is not None)
    with torch.no_grad():
        weight = conv.weight[:, :, 0, 0]
        layer.weight.copy_(weight.T.reshape(layer.weight.shape) if transposed else weight)
        if bias and conv.bias is not None:
            layer.bias.copy_(conv.bias)
    return layer


def always_a_bias(conv):
    layer = nn.Linear(conv.in_channels, conv.out_channels)
    with torch.no_grad():
        layer.weight.copy_(conv.weight[:, :, 0, 0])
        layer.bias.copy_(conv.bias if conv.bias is not None else torch.zeros(conv.out_channels))
    return layer


RIGHT = {
    "separable_macs": separable,
    "folded": lambda depthwise, pointwise: torch.einsum("dc,ckl->dckl", pointwise[:, :, 0, 0], depthwise[:, 0]),
    "wrong_layout": {56: "error", 96: "rows"},
    "as_linear": linear,
}
WRONG = {
    "separable_macs": [at_input_size, pointwise_at_input_size, full, rounded_down, flops, 12345],
    "folded": [
        lambda depthwise, pointwise: pointwise + depthwise[:, 0],
        lambda depthwise, pointwise: pointwise * depthwise[:, 0].flip(-1, -2),  # mathematical convolution
        lambda depthwise, pointwise: pointwise * depthwise[:, 0].transpose(-1, -2),
        lambda depthwise, pointwise: pointwise @ depthwise[:, 0],
        lambda depthwise, pointwise: depthwise * pointwise.transpose(0, 1),
        lambda depthwise, pointwise: pointwise * depthwise[:, 0].mean(0),
    ],
    "wrong_layout": [
        {56: "error", 96: "channels"},
        {56: "channels", 96: "channels"},
        {56: "error", 96: "error"},
        {56: "rows", 96: "rows"},
        {56: "error", 96: "columns"},
        "error",
    ],
    "as_linear": [
        lambda conv: nn.Linear(conv.in_channels, conv.out_channels, bias=conv.bias is not None),
        lambda conv: linear(conv, bias=False),
        lambda conv: linear(conv, transposed=True),
        always_a_bias,
        lambda conv: conv,
    ],
}
