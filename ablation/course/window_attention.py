"""Attention within windows, in plain loops, and the results of typical mistakes: what an exercise of notebook 04 compares.

Swin's window attention (Liu et al. 2021, arXiv 2103.14030, section 3.2) without shift, biases, relative position bias and
output projection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Projections(NamedTuple):
    """The weights of queries, keys and values, each (C, C), from input to output channels as in `nn.Linear`: x @ weight.T."""

    q: Tensor
    k: Tensor
    v: Tensor


Weights = Callable[[Tensor], Tensor]  # scores, (N, query, key) -> weights of the values


def attend(
    x: Tensor,
    window: tuple[int, int],
    projections: Projections,
    heads: int,
    divisor: float | None = None,
    weights: Weights = lambda scores: scores.softmax(-1),
) -> Tensor:
    """Return attention within non-overlapping windows.

    Args:
        x: (N, H, W, C); H and W are multiples of the sides of the window, C of `heads`.
        window: height and width of a window in positions.
        projections: weights of queries, keys and values.
        heads: number of heads; each has C / heads consecutive channels.
        divisor: of the scores; by default the square root of the channels per head.
        weights: from scores to weights.

    Returns:
        (N, H, W, C), the heads next to each other.
    """
    out = torch.empty_like(x)
    height, width = window
    d = x.shape[3] // heads
    for top in range(0, x.shape[1], height):
        for left in range(0, x.shape[2], width):
            place = (slice(None), slice(top, top + height), slice(left, left + width))
            positions = x[place].flatten(1, 2)  # (N, height * width, C)
            for head in range(heads):
                part = slice(head * d, (head + 1) * d)
                q, k, v = (positions @ weight[part].T for weight in projections)  # (N, height * width, d)
                scores = q @ k.transpose(1, 2) / (d**0.5 if divisor is None else divisor)
                out[(*place, part)] = (weights(scores) @ v).unflatten(1, window)
    return out


def mistaken(x: Tensor, window: int, projections: Projections, heads: int) -> dict[str, Callable[[], Tensor]]:
    """Return the description of each typical mistake, and a function that makes it."""
    q, k, v = projections
    square, channels = (window, window), x.shape[3]
    interleaved = torch.arange(channels).view(-1, heads).T.flatten()  # channels of the first head, of the second, ...

    def of_runs() -> Tensor:
        """Windows of consecutive positions, as from a reshape without a permute."""
        return attend(x.reshape(len(x), -1, window, channels), square, projections, heads).view_as(x)

    def left_in_order_of_windows() -> Tensor:
        rows, columns = x.shape[1] // window, x.shape[2] // window
        apart = attend(x, square, projections, heads).view(len(x), rows, window, columns, window, channels)
        return apart.transpose(2, 3).reshape(x.shape)

    def with_interleaved_heads() -> Tensor:
        found = attend(x, square, Projections(*(weight[interleaved] for weight in projections)), heads)
        return found[..., interleaved.argsort()]

    return {
        "the scores are not scaled": lambda: attend(x, square, projections, heads, 1.0),
        "the scores are divided by a root that depends on all channels, not on those of a head": lambda: attend(
            x, square, projections, heads, channels**0.5
        ),
        "the scores are divided by the number of channels of a head, not by its root": lambda: attend(
            x, square, projections, heads, channels / heads
        ),
        "the softmax runs over the queries, so the weights of a query do not add up to 1": lambda: attend(
            x, square, projections, heads, weights=lambda scores: scores.softmax(-2)
        ),
        "the windows mix rows and columns: they consist of consecutive positions, not of squares": of_runs,
        "the windows are right, but their outputs are not put back in place": left_in_order_of_windows,
        "each position attends to the whole map, not to its window": lambda: attend(
            x, (x.shape[1], x.shape[2]), projections, heads
        ),
        "the channels of a head are not next to each other": with_interleaved_heads,
        "a projection multiplies by the weight, not by its transpose as nn.Linear does": lambda: attend(
            x, square, Projections(q.T, k.T, v.T), heads
        ),
        "queries and keys are exchanged": lambda: attend(x, square, Projections(k, q, v), heads),
        "there is a single head": lambda: attend(x, square, projections, 1),
    }
