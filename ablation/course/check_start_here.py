"""Checkers of notebook 00, start here."""

from __future__ import annotations

from typing import Any

from .. import RESNET50, convnext
from ..errors import AblationError
from .checking import exercise, require, require_number


@exercise(
    accepts="the exact set of fields in which the two descriptions differ",
    hints=(
        "an architecture has a method that compares it with another one",
        "a.diff(b) is a dictionary; its keys are the names of the fields",
    ),
)
def changed_fields(answer: Any) -> None:
    """Check the set of fields of the description that differ between ResNet-50 and ConvNeXt-T."""
    require(
        isinstance(answer, set | frozenset | list | tuple) or hasattr(answer, "keys"),
        "the answer must be a collection of field names",
    )
    given, expected = set(answer), set(RESNET50.diff(convnext("tiny")))
    fields = set(RESNET50.to_dict())
    require(given <= fields, f"these are not fields: {', '.join(sorted(map(str, given - fields)))}")
    require(not given - expected, "it contains a field that is equal in both")
    require(not expected - given, "a field that differs is missing")


@exercise(
    accepts="the exact number",
    hints=(
        "first count the products for one number of the output, then the numbers in the output",
        "per output position and output channel, the multiply-accumulates are 7 x 7 times the number of input channels",
    ),
)
def first_conv_macs(answer: Any) -> None:
    """Check the multiply-accumulates of ResNet-50's first convolution for one image of 224 px."""
    require_number(answer, 112 * 112 * 64 * (7 * 7 * 3), what="the number of multiply-accumulates")


@exercise(
    accepts="the side, in pixels, at which a ConvNeXt-T runs although it fails with one pixel less",
    hints=(
        "follow the side of the map through the network: the stem of stride 4, then the three layers of stride 2",
        "without padding, a layer whose kernel equals its stride s maps a side of n to n // s; the last map must not "
        "be empty",
    ),
)
def smallest_image(answer: Any) -> None:
    """Check the smallest image size for ConvNeXt-T by running a small network on it and on one pixel less."""
    import torch

    from .. import build

    require_number(answer, answer, what="the side")
    require(
        float(answer).is_integer() and 1 <= answer <= 512,
        f"the side must be a whole number from 1 to 512, not {answer}",
    )
    side = int(answer)
    network = build(convnext("tiny").replace(depths=(1, 1, 1, 1), width=8), num_classes=10).eval()

    def runs(pixels: int) -> bool:
        try:
            with torch.no_grad():
                network(torch.zeros(1, 3, pixels, pixels))
        except AblationError:
            return False
        return pixels > 0

    right = runs(side) and not runs(side - 1)
    require(right, f"it is not true that the network runs at {side} pixels and fails with one pixel less")
