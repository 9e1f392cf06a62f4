"""The interactive explorer: turn steps on and off and see how a network's size, cost and receptive field change.

`Explorer` is the widget. It requires ipywidgets and is imported on first use. Its numbers and drawings are computed by pure
functions of a `Design`, which depend only on `ablation.design`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .state import Design

if TYPE_CHECKING:
    from .widget import Explorer

__all__ = ["Design", "Explorer"]


def __getattr__(name: str) -> Any:
    if name != "Explorer":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .widget import Explorer

    return Explorer
