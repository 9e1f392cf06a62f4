"""Checkers of notebook 06, downsampling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional as F

from .checking import exercise, require, require_close, require_number


@exercise(
    accepts="the output of F.conv2d(x, weight, bias, stride=2) for 2x2 weights, on four maps",
    hints=(
        "x[..., i::2, j::2] are the pixels in row i and column j of their windows",
        "each of the four phases is a map of half the size; weight[:, :, i, j] is the matrix that mixes its channels; "
        "add the bias once",
    ),
)
def phase_sum(answer: Any) -> None:
    """Check a function that computes a 2x2 convolution of stride 2 without a convolution layer."""
    require(callable(answer), "it must be a function")
    generator = torch.Generator().manual_seed(0)
    for n, cin, cout, height, width in ((2, 3, 6, 8, 8), (1, 1, 1, 2, 6), (3, 4, 2, 6, 2), (1, 5, 7, 4, 10)):
        x = torch.randn(n, cin, height, width, generator=generator)
        weight = torch.randn(cout, cin, 2, 2, generator=generator)
        bias = torch.randn(cout, generator=generator)
        require_close(
            answer(x, weight, bias), F.conv2d(x, weight, bias, stride=2), what=f"the map of {height} x {width}"
        )


@exercise(
    accepts="weights (C, C, 2, 2) with which F.conv2d of stride 2 equals F.avg_pool2d(x, 2), for C = 1, 3 and 8",
    hints=(
        "pooling does not mix channels: what are the weights between two different channels?",
        "for one channel, a mean is a sum with equal weights; torch.eye arranges the channels",
    ),
)
def pooling_weights(answer: Any) -> None:
    """Check a function that returns the weights of average pooling as a 2x2 convolution."""
    require(callable(answer), "it must be a function")
    for channels in (1, 3, 8):
        weight = answer(channels)
        require(isinstance(weight, torch.Tensor), f"it must return a tensor, not {type(weight).__name__}")
        expected = (channels, channels, 2, 2)
        require(
            tuple(weight.shape) == expected,
            f"for {channels} channels the shape must be {expected}, not {tuple(weight.shape)}",
        )
        x = torch.randn(2, channels, 6, 8, generator=torch.Generator().manual_seed(channels))
        require_close(F.conv2d(x, weight.float(), stride=2), F.avg_pool2d(x, 2), what=f"the map of {channels} channels")


@exercise(
    accepts="the frequency in the spectrum, 0 to 0.5 cycles per new position, within 1e-6, for 33 gratings",
    hints=(
        "a new position spans two old ones, so the frequency doubles first; what is the largest that the new grid can "
        "show?",
        "0.7 cycles per sample looks the same as 0.3 cycles per sample backwards",
    ),
)
def folded_frequency(answer: Any) -> None:
    """Check a function that returns the frequency of a grating after every second position is dropped."""
    require(callable(answer), "it must be a function")
    size = 64
    for k in range(size // 2 + 1):
        wave = torch.cos(2 * torch.pi * k / size * torch.arange(size, dtype=torch.float64))[::2]
        found = int(torch.fft.rfft(wave).abs().argmax()) / len(wave)
        given = answer(k / size)
        require(hasattr(given, "__float__"), f"it must return a number, not {given!r}")
        require(abs(float(given) - found) < 1e-6, f"a frequency of {k / size} does not become {float(given):.4g}")


_METHODS = {
    "every second pixel": lambda x: x[..., ::2, ::2],
    "max-pool 2x2": lambda x: F.max_pool2d(x, 2),
    "average pool 2x2": lambda x: F.avg_pool2d(x, 2),
}


@exercise(
    accepts="the actual contrast, largest minus smallest value, after each method, without and with the shift",
    hints=(
        "write down a row, 1 1 -1 -1 1 1 -1 -1, and below it the same row shifted by one pixel",
        "go through both rows in pairs: take the first number, the largest, and the mean of each pair, then compare "
        "the results of a row",
    ),
)
def contrast_after(answer: Any) -> None:
    """Check the predicted contrast of two-pixel stripes after three ways of halving, each run at two shifts."""
    require(
        isinstance(answer, Mapping), "it must be a dictionary: method -> (contrast without the shift, contrast with it)"
    )
    row = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(4)
    for name, method in _METHODS.items():
        require(name in answer, f"there is no prediction for {name!r}")
        given = answer[name]
        require(
            isinstance(given, list | tuple) and len(given) == 2,
            f"{name!r} needs two numbers, without and with the shift",
        )
        for shift, value in enumerate(given):
            which = "with" if shift else "without"
            out = method(row.roll(shift).expand(1, 1, len(row), -1))
            require_number(value, (out.max() - out.min()).item(), what=f"the contrast {which} the shift after {name!r}")
