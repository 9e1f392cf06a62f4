"""Checkers of notebook 01, the roadmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import cost, roadmap, steps
from ..design.architecture import RESNET50, RESNET200, Architecture
from ..design.steps import chain
from .checking import exercise, need, need_number


@exercise(accepts="the exact number", hint="ab.roadmap() is a tuple of rungs; ab.cost knows what an architecture costs")
def last_rung(answer: Any) -> None:
    """Parameters of the last rung of the ResNet-50 ladder."""
    need_number(answer, cost(roadmap()[-1].architecture).params, what="the number of parameters")


@exercise(
    accepts="a function that gives what the paper's step gives, from each rung of both roads",
    hint="architecture.replace(...) or dataclasses.replace changes one field and keeps all others",
)
def hand_stage_ratio(answer: Any) -> None:
    """The step (3, 3, 9, 3), as a function of the reader's."""
    for start in (*(rung.architecture for rung in roadmap()), RESNET200, Architecture(depths=(1, 1, 1, 1), width=24)):
        given = answer(start)
        need(isinstance(given, Architecture), f"it returned {type(given).__name__}; a step returns an Architecture")
        changed = sorted(steps.stage_ratio()(start).diff(given))
        need(not changed, f"from {start!r} it does not give what the step gives: look at {', '.join(changed)}")


@exercise(
    accepts="a function that names the right step of the road from each of seven starts",
    hint="take each step from the architecture that you were given, not from ResNet-50, and compare ab.cost(...).macs",
)
def biggest_saver(answer: Any) -> None:
    """Which single step of the road saves most MACs, from wherever one stands."""
    road = [rung.step for rung in roadmap() if rung.adopted and rung.step != chain()]
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
        wanted = min(road, key=lambda step: cost(step(start)).macs).name
        given = answer(start)
        need(isinstance(given, str), f"it returned {given!r}; the name of a step is asked for, such as 'widen'")
        need(given == wanted, f"from {start!r} another step saves more than {given!r} does")


@exercise(
    accepts="the widths after both orders, as they come out when the steps are taken",
    hint="read a chain from left to right, and ask of each step whether it looks at the width that it finds",
)
def order_that_matters(answer: Any) -> None:
    """Widths from ResNet-50 after widen then double, and after double then widen; the steps are really taken."""
    double = steps.Step("double", lambda architecture: architecture.replace(width=2 * architecture.width))
    orders: tuple[Callable[[Architecture], Architecture], ...] = (
        chain(steps.widen(96), double),
        chain(double, steps.widen(96)),
    )
    need(isinstance(answer, tuple | list) and len(answer) == 2, "two widths are asked for, one for each order")
    for order, given in zip(orders, answer, strict=True):
        need_number(given, order(RESNET50).width, what=f"the width after {order!r}")
