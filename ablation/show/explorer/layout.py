"""The parts of the explorer's page: headings, boxes and controls of ipywidgets."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets

# Runs once when the style is inserted, and makes the box around it a live region. ipywidgets cannot set a role, and a region
# that is replaced with its text is not announced.
_LIVE = """<style onload="this.closest('.ax-live').setAttribute('role', 'status')"></style>"""
TITLE = "From ResNet-50 to ConvNeXt-T, one step at a time"
_LEAD = (
    "Turn the twelve changes of “A ConvNet for the 2020s” "
    '(<a href="https://arxiv.org/abs/2201.03545">Liu et al. 2022</a>) on and off, and see at once what each does to the size, '
    "the cost and the receptive field of the network."
)


def header(tag: str) -> Any:
    """Return the title and one sentence; the tag is "h1" on a page of its own."""
    return html(f"<{tag}>{escape(TITLE)}</{tag}><p>{_LEAD}</p>")


def live(child: Any) -> Any:
    """Return a box whose text screen readers announce when it changes."""
    return box("ax-live", html(_LIVE), child)


def html(value: str = "", name: str = "") -> Any:
    widget = ipywidgets.HTML(value)
    if name:
        widget.add_class(name)
    return widget


def heading(title: str, detail: str = "") -> Any:
    note = f' <span class="ax-cite">{escape(detail)}</span>' if detail else ""
    return html(f"<h3>{escape(title)}{note}</h3>")


def folding_heading(title: str, detail: str) -> Any:
    """Return a heading that on a narrow page opens and closes what stands in the same box below it (see `look`)."""
    text = f'{escape(title)} <span class="ax-cite">{escape(detail)}</span>'
    return html(f'<h3>{text}</h3><details class="ax-fold"><summary>{text}</summary></details>')


def box(name: str, *children: Any) -> Any:
    widget = ipywidgets.Box(children)
    widget.add_class(name)
    return widget


def checkbox(label: str) -> Any:
    return ipywidgets.Checkbox(description=label, indent=False)


def button(on_click: Callable[[Any], None], label: str = "", name: str = "") -> Any:
    widget = ipywidgets.Button(description=label)
    widget.on_click(on_click)
    if name:
        widget.add_class(name)
    return widget
