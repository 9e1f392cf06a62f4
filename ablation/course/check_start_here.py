"""Checkers of notebook 00."""

from __future__ import annotations

from typing import Any

from .. import RESNET50, convnext
from ..errors import AblationError
from .checking import exercise, need, need_number


@exercise(
    accepts="the set of exactly the fields in which the two descriptions differ",
    hint="a.diff(b) is a dictionary; its keys are the fields",
)
def changed_fields(answer: Any) -> None:
    """Which fields of the description differ between ResNet-50 and ConvNeXt-T."""
    need(isinstance(answer, set | frozenset | list | tuple) or hasattr(answer, "keys"), "names of fields are asked for")
    given, wanted = set(answer), set(RESNET50.diff(convnext("tiny")))
    fields = set(RESNET50.to_dict())
    need(given <= fields, f"these are no fields: {', '.join(sorted(map(str, given - fields)))}")
    need(not given - wanted, "it names a field that is alike in both")
    need(not wanted - given, "a field that differs is missing")


@exercise(
    accepts="the exact number",
    hint="for each position and channel that the layer puts out, its multiply-accumulates are 7 x 7 times the channels it reads",
)
def first_conv_macs(answer: Any) -> None:
    """Multiply-accumulates of ResNet-50's first convolution for one image of 224 px."""
    need_number(answer, 112 * 112 * 64 * (7 * 7 * 3), what="the number of multiply-accumulates")


@exercise(
    accepts="the side, in pixels, at which a ConvNeXt-T still runs and one pixel less does not",
    hint="follow the side of the map through the stem of stride 4 and the three layers of stride 2 that have no padding",
)
def smallest_image(answer: Any) -> None:
    """The smallest image that ConvNeXt-T takes; a network is built, and run on it and on one that is a pixel smaller."""
    import torch

    from .. import build

    need_number(answer, answer, what="the side")
    need(float(answer).is_integer() and 1 <= answer <= 512, f"a side of {answer} pixels is none to try: take 1 to 512")
    side = int(answer)
    network = build(convnext("tiny").replace(depths=(1, 1, 1, 1), width=8), num_classes=10).eval()

    def runs(pixels: int) -> bool:
        try:
            with torch.no_grad():
                network(torch.zeros(1, 3, pixels, pixels))
        except AblationError:
            return False
        return pixels > 0

    need(runs(side), f"at {side} pixels the network stops with an error")
    need(not runs(side - 1), f"at {side - 1} pixels it still runs")
