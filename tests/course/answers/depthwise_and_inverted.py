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


def depthwise(x, weight, stride, padding, ends=(1, 1), edit=lambda weight: weight):
    """A depthwise convolution by a loop over the kernel; the options are typical mistakes."""
    before, after = (padding * end for end in ends)
    padded = torch.nn.functional.pad(x, (before, after) * 2)
    weight, k = edit(weight), weight.shape[-1]
    rows, columns = ((side - k) // stride + 1 for side in padded.shape[2:])
    out = 0
    for i in range(k):
        for j in range(k):
            shifted = padded[:, :, i:, j:][:, :, ::stride, ::stride][:, :, :rows, :columns]
            out = out + weight[:, :, i, j, None] * shifted
    return out


def pixel_by_pixel(x, weight, stride, padding):
    """Another right way: a loop over the pixels of the output."""
    padded, k = torch.nn.functional.pad(x, (padding,) * 4), weight.shape[-1]
    rows, columns = ((side - k) // stride + 1 for side in padded.shape[2:])
    out = torch.empty(*x.shape[:2], rows, columns, dtype=x.dtype)
    for row in range(rows):
        for column in range(columns):
            patch = padded[:, :, row * stride : row * stride + k, column * stride : column * stride + k]
            out[:, :, row, column] = (patch * weight[:, 0]).sum((2, 3))
    return out


def torchs_own(x, weight, stride, padding):
    return torch.nn.functional.conv2d(x, weight, stride=stride, padding=padding, groups=x.shape[1])


def channels_added_up(x, weight, stride, padding):
    return depthwise(x, weight, stride, padding).sum(1, keepdim=True).expand(-1, x.shape[1], -1, -1)


RIGHT = {
    "depthwise_by_loops": depthwise,
    "separable_macs": separable,
    "folded": lambda depthwise, pointwise: torch.einsum("dc,ckl->dckl", pointwise[:, :, 0, 0], depthwise[:, 0]),
    "wrong_layout": {56: "error", 96: "rows"},
    "as_linear": linear,
}
WRONG = {
    "depthwise_by_loops": [
        torchs_own,
        channels_added_up,
        lambda *given: depthwise(*given, edit=lambda weight: weight.flip(2, 3)),  # mathematical convolution
        lambda *given: depthwise(*given, edit=lambda weight: weight.transpose(2, 3)),
        lambda *given: depthwise(*given, edit=lambda weight: weight[:1]),
        lambda *given: depthwise(*given, ends=(0, 2)),  # "same" padding, all at the end
        lambda *given: depthwise(*given, ends=(2, 0)),
        lambda x, weight, stride, padding: depthwise(x, weight, 1, padding),
        lambda x, weight, stride, padding: depthwise(x, weight, stride, 0),
        lambda x, weight, stride, padding: depthwise(x, weight, stride, weight.shape[-1] // 2),  # its own padding
        lambda *given: depthwise(*given).numpy(),
    ],
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
