"""Checkers of notebook 06, downsampling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional as F

from .checking import exercise, need, need_close, need_number


@exercise(
    accepts="what F.conv2d(x, weight, bias, stride=2) gives for 2x2 weights, tried on four maps",
    hint="x[..., i::2, j::2] are the pixels in row i, column j of their window; weight[:, :, i, j] is their matrix",
)
def phase_sum(answer: Any) -> None:
    """A 2x2 convolution of stride 2 without a convolution."""
    need(callable(answer), "it must be a function")
    generator = torch.Generator().manual_seed(0)
    for n, cin, cout, height, width in ((2, 3, 6, 8, 8), (1, 1, 1, 2, 6), (3, 4, 2, 6, 2), (1, 5, 7, 4, 10)):
        x = torch.randn(n, cin, height, width, generator=generator)
        weight = torch.randn(cout, cin, 2, 2, generator=generator)
        bias = torch.randn(cout, generator=generator)
        need_close(answer(x, weight, bias), F.conv2d(x, weight, bias, stride=2), what=f"the map of {height} x {width}")


@exercise(
    accepts="weights (C, C, 2, 2) with which F.conv2d of stride 2 equals F.avg_pool2d(x, 2), tried on C = 1, 3 and 8",
    hint="pooling keeps the channels apart: which weights between two different channels does that ask for?",
)
def pooling_weights(answer: Any) -> None:
    """Average pooling as a 2x2 convolution."""
    need(callable(answer), "it must be a function")
    for channels in (1, 3, 8):
        weight = answer(channels)
        need(isinstance(weight, torch.Tensor), f"it must return a tensor, not {type(weight).__name__}")
        wanted = (channels, channels, 2, 2)
        need(
            tuple(weight.shape) == wanted,
            f"for {channels} channels the shape must be {wanted}, not {tuple(weight.shape)}",
        )
        x = torch.randn(2, channels, 6, 8, generator=torch.Generator().manual_seed(channels))
        need_close(F.conv2d(x, weight.float(), stride=2), F.avg_pool2d(x, 2), what=f"the map of {channels} channels")


@exercise(
    accepts="cycles a new position, from 0 to 0.5, at which a spectrum finds the grating, within 1e-6, for 33 gratings",
    hint="a new position is two old ones; and a wave that turns 0.7 times from sample to sample looks like 0.3 times back",
)
def folded_frequency(answer: Any) -> None:
    """Where a grating lands when every second position is dropped."""
    need(callable(answer), "it must be a function")
    size = 64
    for k in range(size // 2 + 1):
        wave = torch.cos(2 * torch.pi * k / size * torch.arange(size, dtype=torch.float64))[::2]
        found = int(torch.fft.rfft(wave).abs().argmax()) / len(wave)
        given = answer(k / size)
        need(hasattr(given, "__float__"), f"it must return a number, not {given!r}")
        need(abs(float(given) - found) < 1e-6, f"a frequency of {k / size} lands elsewhere than at {float(given):.4g}")


_WAYS = {
    "every second pixel": lambda x: x[..., ::2, ::2],
    "max-pool 2x2": lambda x: F.max_pool2d(x, 2),
    "average pool 2x2": lambda x: F.avg_pool2d(x, 2),
}


@exercise(
    accepts="for each way the contrast, largest minus smallest value, at shift 0 and at shift 1, as it comes out when run",
    hint="write down a row, 1 1 -1 -1 1 1 -1 -1, and below it the same moved on by a pixel; take its values two by two",
)
def contrast_after(answer: Any) -> None:
    """Contrast of stripes two pixels wide after halving, at two shifts; the three ways are run to find out."""
    need(isinstance(answer, Mapping), "it must be a dictionary: way -> (contrast at shift 0, contrast at shift 1)")
    row = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(4)
    for name, way in _WAYS.items():
        need(name in answer, f"there is no prediction for {name!r}")
        given = answer[name]
        need(
            isinstance(given, list | tuple) and len(given) == 2,
            f"{name!r} needs two numbers, for shift 0 and for shift 1",
        )
        for shift, value in enumerate(given):
            out = way(row.roll(shift).expand(1, 1, len(row), -1))
            need_number(value, (out.max() - out.min()).item(), what=f"the contrast after {name!r} at shift {shift}")
