"""The design space under your hands: switch a step and see at once what it does to a network's size, cost and sight.

`Explorer` is the widget. What it shows comes from pure functions of a `Design`, which need no browser.
"""

from .design import Design
from .widget import Explorer

__all__ = ["Design", "Explorer"]
