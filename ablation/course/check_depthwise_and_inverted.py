"""Checkers of notebook 03, depthwise convolution and the inverted bottleneck."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .checking import exercise, require, require_close, require_number

if TYPE_CHECKING:
    from torch import Tensor


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


@exercise(
    accepts="the output of torch's depthwise convolution, up to rounding, for six shapes, with stride 1 to 3, without padding "
    "and with it",
    hints=(
        "a loop over the kernel needs one step per kernel position: each adds a shifted copy of the map, times one number "
        "per channel",
        "copy x into a map of zeros with sides H + 2 * padding and W + 2 * padding; the pixels under kernel position (i, j) "
        "are then every stride-th row from i on and every stride-th column from j on",
    ),
)
def depthwise_by_loops(answer: Any) -> None:
    """Check a depthwise convolution that is written without torch's convolutions."""
    import torch
    from torch.nn import functional as F

    from .mistakes import Without, require_right

    require(callable(answer), "it must be a function")
    generator = torch.Generator().manual_seed(0)
    for shape, k, stride, padding in (
        ((2, 3, 9, 8), 3, 2, 1),
        ((2, 3, 6, 7), 3, 1, 1),
        ((1, 4, 7, 9), 5, 1, 0),
        ((3, 1, 8, 8), 2, 2, 0),
        ((1, 2, 11, 7), 7, 3, 3),
        ((1, 5, 3, 4), 1, 2, 2),
    ):
        c = shape[1]
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        weight = torch.randn(c, 1, k, k, generator=generator, dtype=torch.float64)
        with Without("conv"):
            given = answer(x.clone(), weight.clone(), stride, padding)
        what = f"the output for x {shape}, k = {k}, stride = {stride}, padding = {padding}"
        expected = F.conv2d(x, weight, stride=stride, padding=padding, groups=c)
        require_right(given, expected, _mistaken(x, weight, stride, padding), what)


def _mistaken(x: Tensor, weight: Tensor, stride: int, padding: int) -> dict[str, Callable[[], Tensor]]:
    """Return the description of each typical mistake of a depthwise convolution, and a function that makes it."""
    from torch.nn import functional as F

    c = x.shape[1]
    one_end, other_end = (0, 2 * padding) * 2, (2 * padding, 0) * 2  # of the columns, and of the rows

    def conv(weight: Tensor, x: Tensor = x, stride: int = stride, padding: int = padding, groups: int = c) -> Tensor:
        return F.conv2d(x, weight, stride=stride, padding=padding, groups=groups)

    return {
        "the kernels are flipped, but torch does not flip them": lambda: conv(weight.flip(2, 3)),
        "rows and columns of the kernel are exchanged": lambda: conv(weight.transpose(2, 3)),
        "all channels have the kernel of the first": lambda: conv(weight[:1].repeat(c, 1, 1, 1)),
        "channels are added up, but a depthwise convolution keeps them apart": lambda: conv(
            weight.transpose(0, 1).repeat(c, 1, 1, 1), groups=1
        ),
        "the stride is ignored": lambda: conv(weight, stride=1),
        "the padding is ignored": lambda: conv(weight, padding=0),
        "all zeros are added behind the last row and column": lambda: conv(weight, F.pad(x, one_end), padding=0),
        "all zeros are added before the first row and column": lambda: conv(weight, F.pad(x, other_end), padding=0),
    }
