"""The interactive explorer: switch a step and see at once how a network's size, cost and receptive field change.

`Explorer` is the widget; it needs ipywidgets and is imported when it is first used. Its numbers and drawings come from pure
functions of a `Design`, which need nothing but `ablation.design`.
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
