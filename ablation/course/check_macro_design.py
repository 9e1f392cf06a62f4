"""Checkers of notebook 02, macro design."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from .. import RESNET50, build, cost, roadmap
from .checking import exercise, require, require_close, require_number

_EDGE = 16  # columns to change, from the right; contains all columns that no patch covers


@exercise(
    accepts="a function of width, side and kernel_size that returns the exact number, for six blocks",
    hints=(
        "each of the three convolutions costs its weights times the positions of the map",
        "the depthwise convolution has one k x k kernel per channel; each pointwise one has a weight for each pair of "
        "channels",
    ),
)
def convnext_block_cost(answer: Any) -> None:
    """Check the MACs of a ConvNeXt block: kxk depthwise at w, 1x1 to 4w, 1x1 back to w."""
    require(callable(answer), "it must be a function")
    for width, side, k in ((96, 56, 7), (192, 28, 7), (768, 7, 7), (64, 10, 3), (1, 1, 1), (5, 3, 11)):
        expected = side**2 * (k**2 * width + 8 * width**2)
        require_number(answer(width, side, k), expected, what=f"the MACs for width {width}, side {side}, kernel {k}")


@exercise(
    accepts="the output of F.conv2d(x, weight, bias, stride=s) for patches of s x s pixels, with s = 1, 2, 4 and 7",
    hints=(
        "the shape of the weight contains the patch size; reshape each side of the image into (patches, s)",
        "bring the axes of a patch into the order of the weight, (C, s, s), flatten both, and multiply them as "
        "matrices",
    ),
)
def any_patchify(answer: Any) -> None:
    """Check a function that computes a patchify stem of any patch size without a convolution layer."""
    require(callable(answer), "it must be a function")
    generator = torch.Generator().manual_seed(0)
    for s, rows, columns, chans in ((4, 3, 5, 3), (2, 4, 2, 1), (7, 2, 3, 3), (1, 5, 4, 2)):
        x = torch.randn(2, chans, rows * s, columns * s, generator=generator)
        weight = torch.randn(6, chans, s, s, generator=generator)
        bias = torch.randn(6, generator=generator)
        require_close(
            answer(x, weight, bias), F.conv2d(x, weight, bias, stride=s), what=f"the map for patches of {s} x {s}"
        )


@exercise(
    accepts="four numbers of blocks, each at least 1, with the MACs of (3, 3, 9, 3) on ResNet-50 and the fewest parameters",
    hints=(
        "a block costs the same MACs in every stage, which fixes the sum",
        "in which stage does a block have the fewest weights? No stage may be empty",
    ),
)
def leanest_depths(answer: Any) -> None:
    """Check the depths of 18 blocks with the fewest parameters."""
    require(isinstance(answer, list | tuple) and len(answer) == len(RESNET50.depths), "it must consist of four numbers")
    given, reference = cost(RESNET50.replace(depths=tuple(answer))), cost(RESNET50.replace(depths=(3, 3, 9, 3)))
    require(given.macs == reference.macs, "it does not cost the MACs of (3, 3, 9, 3)")
    blocks, stages = sum(answer), len(answer)
    fewest = cost(RESNET50.replace(depths=(blocks - stages + 1, 1, 1, 1))).params
    require(given.params == fewest, "other depths have the same MACs and fewer parameters")


@exercise(
    accepts="the number of columns that affect no logit, found by changing each column of a 103 px image for a small last rung",
    hints=(
        "first find the columns that are in no patch",
        "after the stem, 7x7 kernels spread each column of the map to its neighbours before a layer drops the last one",
    ),
)
def blind_columns(answer: Any) -> None:
    """Check the number of columns of a 103 px image that the last rung cannot see, by running it."""
    size = 103
    torch.manual_seed(0)
    last = roadmap(width_divisor=8)[-1].architecture.replace(depths=(1, 1, 1, 1))
    network = build(last, num_classes=10).eval().double()
    images = torch.randn(1, 3, size, size, dtype=torch.float64).repeat(_EDGE + 1, 1, 1, 1)
    for i in range(_EDGE):  # the last image is left unchanged
        images[i, :, :, size - 1 - i] += 10
    with torch.no_grad():
        logits = network(images)
    change = (logits[:-1] - logits[-1]).abs().amax(1) / logits[-1].abs().max()
    blind = int((change < 1e-12).sum())
    require_number(answer, blind, what="the number of columns")
