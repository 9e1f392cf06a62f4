"""Checkers of notebook 03, depthwise convolution and the inverted bottleneck."""

from __future__ import annotations

from typing import Any

from .checking import exercise, require, require_close, require_number


@exercise(
    accepts="a function that returns the exact number for five convolutions, two of them with stride 2",
    hints=(
        "first count the output positions, which are the same for both convolutions",
        "per output position, the depthwise convolution has k * k products for each channel, the pointwise one a "
        "product for each pair of channels; with padding, the output side is rounded up",
    ),
)
def separable_macs(answer: Any) -> None:
    """Check the MACs of a depthwise plus a pointwise convolution against a count of the layers."""
    from torch import nn

    from .. import count

    require(callable(answer), "it must be a function")
    for c, d, k, side, stride in (
        (8, 8, 3, 12, 1),
        (6, 20, 5, 10, 1),
        (16, 4, 7, 14, 2),
        (5, 7, 3, 9, 2),
        (3, 3, 1, 4, 1),
    ):
        pair = nn.Sequential(nn.Conv2d(c, c, k, stride, k // 2, groups=c), nn.Conv2d(c, d, 1))
        what = f"separable_macs({c}, {d}, {k}, {side}, {stride})"
        require_number(answer(c, d, k, side, stride), count(pair, side, c).macs, what=what)


@exercise(
    accepts="a function that returns one kernel equivalent to the two convolutions, up to rounding, for three shapes",
    hints=(
        "output o sees input channel i through the depthwise filter of i times one number",
        "bring both weights to the shape (d, c, k, k) by broadcasting, with axes of length 1 where needed, and "
        "multiply them",
    ),
)
def folded(answer: Any) -> None:
    """Check a function that merges a depthwise and a pointwise kernel into one full kernel."""
    import torch
    from torch.nn import functional as F

    require(callable(answer), "it must be a function")
    generator = torch.Generator().manual_seed(0)
    for c, d, k in ((3, 5, 3), (6, 6, 7), (4, 1, 1)):
        shapes = ((2, c, 11, 11), (c, 1, k, k), (d, c, 1, 1))
        x, depthwise, pointwise = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
        weight = answer(depthwise.clone(), pointwise.clone())
        require(isinstance(weight, torch.Tensor), f"it returned a {type(weight).__name__}, not a tensor")
        require(weight.shape == (d, c, k, k), f"the kernel has shape {tuple(weight.shape)} instead of {(d, c, k, k)}")
        expected = F.conv2d(F.conv2d(x, depthwise, padding=k // 2, groups=c), pointwise)
        require_close(
            F.conv2d(x, weight, padding=k // 2), expected, f"the output of the kernel for c = {c}, d = {d}, k = {k}"
        )


_OUTCOMES = ("error", "channels", "rows", "columns")


@exercise(
    accepts="the actual outcome for each of the two sizes",
    hints=(
        "write down the shape (N, 96, H, W), and find its last axis",
        "compare the length of the last axis with 96; where they are equal, the layer runs: which numbers share a "
        "mean?",
    ),
)
def wrong_layout(answer: Any) -> None:
    """Check the predicted effect of LayerNorm(96) on channels-first maps: run it and find the axis with zero mean."""
    require(isinstance(answer, dict) and set(answer) == {56, 96}, "it must be a dict with the keys 56 and 96")
    for prediction in answer.values():
        require(prediction in _OUTCOMES, f"{prediction!r} is not one of {', '.join(_OUTCOMES)}")
    wrong = [size for size, prediction in answer.items() if prediction != _normalised_axis(size)]
    require(not wrong, f"the layer was run on both maps; wrong predictions: {len(wrong)} of 2")


def _normalised_axis(size: int) -> str:
    """Run LayerNorm(96) on maps of that size and return the axis over which the output has mean zero, or "error"."""
    import torch
    from torch import nn

    x = 3.0 + torch.randn(2, 96, size, size, generator=torch.Generator().manual_seed(0))
    try:
        out = nn.LayerNorm(96)(x).detach()
    except RuntimeError:
        return "error"
    # The last axis runs along a row.
    means = {name: out.mean(axis).abs().max().item() for name, axis in (("channels", 1), ("columns", 2), ("rows", 3))}
    return min(means, key=means.__getitem__)


@exercise(
    accepts="a function that returns an nn.Linear equivalent to the convolution, up to rounding, with and without a bias",
    hints=(
        "the weight of a 1 x 1 convolution has shape (out, in, 1, 1), that of a linear layer (out, in)",
        "create the layer with bias=conv.bias is not None, and copy the values under torch.no_grad()",
    ),
)
def as_linear(answer: Any) -> None:
    """Check a function that converts a pointwise convolution to a linear layer."""
    import torch
    from torch import nn

    require(callable(answer), "it must be a function")
    for c, d, bias in ((5, 7, True), (6, 6, True), (8, 3, False)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(c)
            conv, x = nn.Conv2d(c, d, 1, bias=bias), torch.randn(2, c, 4, 5)
            linear = answer(conv)
        require(isinstance(linear, nn.Linear), f"it returned a {type(linear).__name__}, not an nn.Linear")
        require(
            (linear.bias is not None) == bias,
            f"the convolution has {'a' if bias else 'no'} bias, but the linear layer has {'none' if bias else 'one'}",
        )
        with torch.no_grad():
            expected = conv(x).permute(0, 2, 3, 1)
            require_close(linear(x.permute(0, 2, 3, 1)), expected, f"its output for {c} to {d} channels")
