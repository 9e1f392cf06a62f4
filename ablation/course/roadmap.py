"""Checkers of notebook 01, the roadmap."""

from __future__ import annotations

from typing import Any

from .. import cost, roadmap
from .checking import exercise, need_number


@exercise(accepts="the exact number", hint="ab.roadmap() is a tuple of rungs; ab.cost knows what an architecture costs")
def last_rung(answer: Any) -> None:
    """Parameters of the last rung of the ResNet-50 ladder."""
    need_number(answer, cost(roadmap()[-1].architecture).params, what="the number of parameters")
