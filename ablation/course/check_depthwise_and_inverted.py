"""Checkers of notebook 03, depthwise convolution and the inverted bottleneck."""

from __future__ import annotations

from typing import Any

from .checking import AnswerError, exercise, need, need_close, need_number


@exercise(
    accepts="a function with the exact number on five convolutions, two of them with stride 2",
    hint="count the positions put out first: both convolutions run there; then products for each position",
)
def separable_macs(answer: Any) -> None:
    """MACs of a depthwise and a pointwise convolution, counted on the layers themselves."""
    from torch import nn

    from .. import count

    need(callable(answer), "it must be a function")
    for c, d, k, side, stride in (
        (8, 8, 3, 12, 1),
        (6, 20, 5, 10, 1),
        (16, 4, 7, 14, 2),
        (5, 7, 3, 9, 2),
        (3, 3, 1, 4, 1),
    ):
        pair = nn.Sequential(nn.Conv2d(c, c, k, stride, k // 2, groups=c), nn.Conv2d(c, d, 1))
        what = f"separable_macs({c}, {d}, {k}, {side}, {stride})"
        need_number(answer(c, d, k, side, stride), count(pair, side, c).macs, what=what)


@exercise(
    accepts="a function whose kernel convolves as the two convolutions do, for three shapes, to rounding",
    hint="output o sees input channel i through the depthwise filter of i, times one number; broadcasting does it in a line",
)
def folded(answer: Any) -> None:
    """One full kernel from a depthwise and a pointwise one."""
    import torch
    from torch.nn import functional as F

    need(callable(answer), "it must be a function")
    generator = torch.Generator().manual_seed(0)
    for c, d, k in ((3, 5, 3), (6, 6, 7), (4, 1, 1)):
        shapes = ((2, c, 11, 11), (c, 1, k, k), (d, c, 1, 1))
        x, depthwise, pointwise = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
        weight = answer(depthwise.clone(), pointwise.clone())
        need(isinstance(weight, torch.Tensor), f"it returned a {type(weight).__name__}, not a tensor")
        need(weight.shape == (d, c, k, k), f"the kernel has shape {tuple(weight.shape)} and should have {(d, c, k, k)}")
        wanted = F.conv2d(F.conv2d(x, depthwise, padding=k // 2, groups=c), pointwise)
        need_close(
            F.conv2d(x, weight, padding=k // 2), wanted, f"what the kernel puts out for c = {c}, d = {d}, k = {k}"
        )


_OUTCOMES = ("error", "channels", "rows", "columns")


@exercise(
    accepts="for each of the two sizes the outcome that comes when it is run",
    hint="write down the shape (N, 96, H, W), find its last axis, and compare its length with 96",
)
def wrong_layout(answer: Any) -> None:
    """What LayerNorm over 96 does to maps whose channels come second: it is run, and what has mean zero is looked for."""
    need(isinstance(answer, dict) and set(answer) == {56, 96}, "it must be a dict with the keys 56 and 96")
    for said in answer.values():
        need(said in _OUTCOMES, f"{said!r} is none of {', '.join(_OUTCOMES)}")
    wrong = [size for size, said in answer.items() if said != _what_comes_of(size)]
    if wrong:
        raise AnswerError(f"it was run, and something else happens to {len(wrong)} of the two maps")


def _what_comes_of(size: int) -> str:
    import torch
    from torch import nn

    x = 3.0 + torch.randn(2, 96, size, size, generator=torch.Generator().manual_seed(0))
    try:
        out = nn.LayerNorm(96)(x).detach()
    except RuntimeError:
        return "error"
    # Along a row the column changes: that is the last axis.
    means = {name: out.mean(axis).abs().max().item() for name, axis in (("channels", 1), ("columns", 2), ("rows", 3))}
    return min(means, key=means.__getitem__)


@exercise(
    accepts="a function that returns an nn.Linear with the output of the convolution, with and without a bias, to rounding",
    hint="the weight of a 1 x 1 convolution is (out, in, 1, 1), that of a linear layer (out, in)",
)
def as_linear(answer: Any) -> None:
    """A linear layer that is a pointwise convolution."""
    import torch
    from torch import nn

    need(callable(answer), "it must be a function")
    for c, d, bias in ((5, 7, True), (6, 6, True), (8, 3, False)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(c)
            conv, x = nn.Conv2d(c, d, 1, bias=bias), torch.randn(2, c, 4, 5)
            linear = answer(conv)
        need(isinstance(linear, nn.Linear), f"it returned a {type(linear).__name__}, not an nn.Linear")
        need(
            (linear.bias is not None) == bias,
            f"the convolution has {'a' if bias else 'no'} bias, and the linear layer not so",
        )
        with torch.no_grad():
            wanted = conv(x).permute(0, 2, 3, 1)
            need_close(linear(x.permute(0, 2, 3, 1)), wanted, f"its output for {c} to {d} channels")
