"""Checkers of notebook 01, the roadmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import convnext, cost, roadmap, steps
from ..design.architecture import RESNET50, RESNET200, Architecture
from ..design.steps import chain
from .checking import exercise, require, require_number


@exercise(
    accepts="the exact number",
    hints=(
        "ab.roadmap() is a tuple of rungs, and each rung has an architecture",
        "ab.cost computes what an architecture costs; take its params, and do not round",
    ),
)
def last_rung(answer: Any) -> None:
    """Check the number of parameters of the last rung of the ResNet-50 ladder."""
    require_number(answer, cost(roadmap()[-1].architecture).params, what="the number of parameters")


@exercise(
    accepts="a function that returns the same architecture as the paper's step, for all starts: each ResNet-50 rung and two more",
    hints=(
        "descriptions are frozen: return a changed copy of the given one, which may differ from ResNet-50 in any field",
        "architecture.replace(...) or dataclasses.replace changes one field and keeps the others",
    ),
)
def hand_stage_ratio(answer: Any) -> None:
    """Check the reader's implementation of the step to depths (3, 3, 9, 3)."""
    for start in (*(rung.architecture for rung in roadmap()), RESNET200, Architecture(depths=(1, 1, 1, 1), width=24)):
        given = answer(start)
        require(isinstance(given, Architecture), f"it returned {type(given).__name__}; a step returns an Architecture")
        changed = sorted(steps.stage_ratio()(start).diff(given))
        require(not changed, f"from {start!r} its result differs from that of the step in: {', '.join(changed)}")


@exercise(
    accepts="a function that returns the name of the right step of the roadmap for each of seven starts",
    hints=(
        "apply each step to the given architecture, not to ResNet-50",
        "compare ab.cost(step(architecture)).macs for all steps, and return the name of the step, not the step",
    ),
)
def biggest_saver(answer: Any) -> None:
    """Check a function that finds the single step of the roadmap that saves the most MACs from a given architecture."""
    path = [rung.step for rung in roadmap() if rung.adopted and rung.step != chain()]
    starts = (
        RESNET50,
        RESNET200,
        RESNET50.apply(steps.widen()),
        RESNET50.apply(steps.depthwise),
        RESNET50.replace(width=128, depthwise=True),
        RESNET50.apply(steps.depthwise, steps.inverted_bottleneck, steps.strided_downsampling),
        RESNET50.replace(kernel_size=11, depthwise=True, block="inverted"),
    )
    for start in starts:
        expected = min(path, key=lambda step: cost(step(start)).macs).name
        given = answer(start)
        require(isinstance(given, str), f"it returned {given!r} instead of the name of a step, such as 'widen'")
        require(given == expected, f"from {start!r} another step saves more MACs than {given!r}")


@exercise(
    accepts="the actual widths after applying the steps in each order",
    hints=(
        "read a chain from left to right",
        "write down the width after each of the two steps; for each step, does its result depend on the current width?",
    ),
)
def order_that_matters(answer: Any) -> None:
    """Check the widths after widen then double, and after double then widen, by applying the steps to ResNet-50."""
    double = steps.Step("double", lambda architecture: architecture.replace(width=2 * architecture.width))
    orders: tuple[Callable[[Architecture], Architecture], ...] = (
        chain(steps.widen(96), double),
        chain(double, steps.widen(96)),
    )
    require(isinstance(answer, tuple | list) and len(answer) == 2, "the answer must be two widths, one for each order")
    for order, given in zip(orders, answer, strict=True):
        require_number(given, order(RESNET50).width, what=f"the width after {order!r}")


_ROW_PARAMS, _ROW_MACS = 198, 34.4  # ConvNeXt-L at 224 px, in 10^6 and 10^9: Table 1 of the paper, arXiv 2201.03545


@exercise(
    accepts="a list of steps of ab.steps that lead from ResNet-50 to the row: its rounded cost, and every field of the "
    "description except layer scale",
    hints=(
        "all steps that the roadmap from ResNet-50 adopted are needed, two of them with other values",
        "the depths are those at the end of the roadmap from ResNet-200; only one number is then left to find, and "
        "ab.cost tells which multiple of 32 gives the row",
    ),
)
def published_row(answer: Any) -> None:
    """Check the steps from ResNet-50 to ConvNeXt-L by applying the library's steps of the same names."""
    require(isinstance(answer, list | tuple) and len(answer) > 0, "it must be a list of steps")
    for step in answer:
        known = isinstance(step, steps.Step) and step.name.partition("=")[0] in (*steps.PAPER_STEPS, "layer_scale")
        require(known, f"{step!r} is not a single step of ab.steps")
    # Built from the names, so that a step of the same name that returns a ready-made architecture does not help.
    taken = [steps.parse(step.name) for step in answer if not step.name.startswith("layer_scale")]
    given = RESNET50.apply(*taken)
    found = cost(given)
    rounded = (round(found.params / 1e6), round(found.macs / 1e9, 1))
    wrong = [
        name for name, a, b in zip(("parameters", "MACs"), rounded, (_ROW_PARAMS, _ROW_MACS), strict=True) if a != b
    ]
    require(not wrong, f"{' and '.join(wrong)} of the result are not those of the row")
    changed = sorted(given.diff(convnext("large").replace(layer_scale=None)))
    require(not changed, f"the cost is that of the row, but not the network: it differs in {', '.join(changed)}")
