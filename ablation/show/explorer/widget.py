"""The explorer widget: ipywidgets controls and views of one `Design`."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any

import ipywidgets

from ...design.architecture import RESNET50, Architecture
from ...errors import AblationError
from . import cards, changes, compared, copy, demand, diagram, field, panels, pareto, road, story, switches
from .chapters import CHAPTERS
from .layout import box, button, checkbox, folding_heading, header, heading, html, live
from .look import CSS
from .state import GROUPS, RUNGS, SWITCHES, Design, Switch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DEPTHS = ("stage 1", "stage 2", "stage 3", "stage 4")
_FIELDS = {"width": "width", "size": "image px"}
_STRIDES = (4, 2, 1)
_KERNELS = tuple(range(1, 32, 2))
_ON_A_PAGE = "VOILA_REQUEST_URL"
_NO_PROBLEM = panels.problem_html("")


class Explorer:
    """Interactive explorer of the design space: switches for the paper's steps, and their effect on the network.

    At the end of a notebook cell it is displayed as a widget if there is a kernel, otherwise as a static image.

    Args:
        start: the network to start from.
        size: side of the image in pixels.

    Attributes:
        widget: the widget to display.

    Raises:
        AblationError: if the image is too small for the network's strides.
    """

    def __init__(self, start: Architecture = RESNET50, size: int = 224) -> None:
        self._design = Design(start, size)
        self._react_to_controls = True  # False while the explorer itself sets the controls
        self._to_confirm: str = ""  # action on a large design that awaits confirmation
        self._cards, self._problem, self._road, self._story, self._table, self._copy = (html() for _ in range(6))
        self._network, self._block, self._field, self._pareto = (html() for _ in range(4))
        self._checks = {switch: checkbox(switch.label) for switch in SWITCHES}
        self._effects = {switch: html(name="ax-effect") for switch in SWITCHES}
        self._entries = self._make_entries()
        self._stops = [button(partial(self._handle, partial(self._design_at, rung.architecture))) for rung in RUNGS]
        self._start, self._next, self._jump = (
            button(partial(self._handle, make), label)
            for make, label in (
                (partial(self._design_at, RUNGS[0].architecture), "Start at ResNet-50"),
                (self._design_next, ""),
                (partial(self._design_at, RUNGS[-1].architecture), "Jump to ConvNeXt-T"),
            )
        )
        self._next.add_class("ax-first")
        self._results = {"field": html(), "forward": html()}
        self._connect_controls()
        self._update_views(None)
        self.widget = self._build_layout()

    def __repr__(self) -> str:
        return f"Explorer({self.architecture!r}, size={self.size})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return one output in two formats: the widget, and a static image for pages without a kernel."""
        bundle = dict(self.widget._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        if _ON_A_PAGE in os.environ:  # a Voila page always has a kernel
            return bundle, {}
        picture = self.picture()
        bundle["image/png"] = base64.b64encode(picture.data).decode()
        return bundle, {"image/png": {"alt": picture.alt, "width": picture.width}}

    @property
    def architecture(self) -> Architecture:
        """The displayed network; assign another one to display it."""
        return self._design.architecture

    @architecture.setter
    def architecture(self, architecture: Architecture) -> None:
        self._set_design(Design(architecture, self._design.size))

    @property
    def size(self) -> int:
        """Side of the image in pixels."""
        return self._design.size

    def figure(self) -> Figure:
        """Return the current design as a matplotlib figure."""
        from .twin import plot_design

        return plot_design(self._design)

    def picture(self) -> Any:
        """Return the current design as a static image with alt text, an `IPython.display.Image`."""
        from ..picture import picture
        from .twin import describe

        return picture(self.figure(), alt=describe(self._design))

    def _make_entries(self) -> dict[str, Any]:
        """Create the controls of numeric fields: keyed by field, or by "depth" and the stage's index for depths."""
        entries: dict[str, Any] = {name: ipywidgets.IntText(description=label) for name, label in _FIELDS.items()}
        entries["kernel_size"] = ipywidgets.Dropdown(description="kernel size", options=_KERNELS)
        entries["stem_stride"] = ipywidgets.Dropdown(description="stem stride", options=_STRIDES)
        entries |= {f"depth {i}": ipywidgets.IntText(description=label) for i, label in enumerate(_DEPTHS)}
        return entries

    def _connect_controls(self) -> None:
        for switch, check in self._checks.items():
            check.observe(partial(self._handle, partial(self._design_switched, switch)), "value")
        for name, entry in self._entries.items():
            entry.observe(partial(self._handle, partial(self._design_with, name)), "value")

    def _design_at(self, architecture: Architecture, _: Any) -> Design:
        return Design(architecture, self.size)

    def _design_next(self, _: Any) -> Design:
        index = road.next_stop(self._design)
        return self._design if index is None else Design(RUNGS[index].architecture, self.size)

    def _design_switched(self, switch: Switch, change: Any) -> Design:
        return self._design if change["new"] == switch.is_on(self.architecture) else self._design.flip(switch)

    def _design_with(self, name: str, change: Any) -> Design:
        value = change["new"]
        if not name.startswith("depth"):
            return self._design.change(**{name: value})
        depths = list(self.architecture.depths)
        depths[int(name.split()[1])] = value
        return self._design.change(depths=tuple(depths))

    def _handle(self, make: Callable[[Any], Design], event: Any) -> None:
        """Show the design that results from a control's event; if it is impossible, show why and reset the controls."""
        if not self._react_to_controls:
            return
        try:
            design = make(event)
        except AblationError as error:
            self._problem.value = panels.problem_html(str(error))
            self._set_controls()
            return
        self._set_design(design)

    def _set_design(self, design: Design) -> None:
        previous, self._design = self._design, design
        self._update_views(previous if previous != design else None)

    def _update_views(self, previous: Design | None) -> None:
        """Update all views: first the numbers, then the road, the story and the drawings."""
        design = self._design
        self._cards.value = cards.cards_html(design, previous)
        self._problem.value = _NO_PROBLEM
        self._road.value = road.road_html(design, buttons=False)
        self._story.value = story.story_html(design)
        for switch, effect in self._effects.items():
            effect.value = escape(switches.effect_text(design, switch))
        self._set_controls()
        drawn: dict[Any, Callable[[Design], str]] = {
            self._network: diagram.network_svg,
            self._block: compared.compared_svg,
            self._field: field.field_svg,
        }
        for view, draw in drawn.items():
            view.value = changes.mark(draw(design), draw(previous)) if previous else draw(design)
        note = pareto.pareto_note(design)
        self._pareto.value = pareto.pareto_svg(design) + (f'<p class="ax-note">{escape(note)}</p>' if note else "")
        self._table.value = panels.table_html(design)
        self._copy.value = copy.copy_html(design)
        here, following = road.stop_of(design), road.next_stop(design)
        for i, stop in enumerate(self._stops):
            stop.description = road.stop_label(i, i == here)
        title = None if following is None else CHAPTERS[following].short
        self._next.description = "You have arrived" if title is None else f"Take the next step: {title}"
        self._to_confirm = ""
        for result in self._results.values():
            result.value = ""

    def _set_controls(self) -> None:
        architecture = self.architecture
        self._react_to_controls = False
        try:
            for switch, check in self._checks.items():
                check.value = switch.is_on(architecture)
            kernels = self._entries["kernel_size"]
            if architecture.kernel_size not in kernels.options:
                kernels.options = sorted({*_KERNELS, architecture.kernel_size})
            for name, entry in self._entries.items():
                if name.startswith("depth"):
                    entry.value = architecture.depths[int(name.split()[1])]
                else:
                    entry.value = self.size if name == "size" else getattr(architecture, name)
        finally:
            self._react_to_controls = True

    def _run_on_demand(self, action: str, _: Any = None) -> None:
        """Run a slow action and show its result; for a large design, only at the second request."""
        result = self._results[action]
        warning = demand.size_warning(self._design, action)
        if warning and self._to_confirm != action:
            self._to_confirm = action
            result.value = f'<p role="status" class="ax-problem">{escape(warning)}</p>'
            return
        self._to_confirm = ""
        result.value = (
            '<p role="status">Busy: building the network and running it. The first time also loads torch.</p>'
        )
        try:
            if action == "field":
                result.value = demand.effective_html(demand.effective_field(self._design))
            else:
                result.value = demand.forward_html(self._design)
        except (
            AblationError,
            RuntimeError,
            MemoryError,
        ) as error:  # torch raises RuntimeError if it runs out of memory
            reason = str(error).partition("\n")[0] or "there is not enough memory"
            result.value = f'<p role="alert" class="ax-problem"><b>That did not work.</b> {escape(reason)}</p>'

    def _build_layout(self) -> Any:
        groups = [
            box(
                "ax-group",
                folding_heading(group.title, f"section {group.section} · notebook {_numbers(group.notebook)}"),
                *(box("ax-row", self._checks[switch], self._effects[switch]) for switch in group.switches),
            )
            for group in GROUPS
        ]
        controls = box(
            "ax-controls",
            html('<h2>The paper\'s twelve steps</h2><p class="ax-note">Below each: what it adds or saves here.</p>'),
            box("ax-switches", *groups),
            html("<h2>By hand</h2>"),
            box("ax-fields", *(self._entries[name] for name in ("kernel_size", "size", "width", "stem_stride"))),
            heading("Blocks in each stage"),
            box("ax-fields", *(self._entries[f"depth {i}"] for i in range(4))),
        )
        views = box(
            "ax-views",
            html("<h2>The network</h2>"),
            self._network,
            html("<h2>The block, between ResNet's and Swin's</h2>"),
            self._block,
            html("<h2>What a position of each stage sees</h2>"),
            self._field,
        )
        titles = {"field": "Measure the effective receptive field", "forward": "Run one forward pass"}
        on_demand = [
            box("ax-picture", button(partial(self._run_on_demand, action), title), self._results[action])
            for action, title in titles.items()
        ]
        return box(
            "ax",
            html(f"<style>{CSS}</style>{field.photograph_symbol()}"),
            header("h1" if _ON_A_PAGE in os.environ else "h2"),
            box("ax-actions", self._start, self._next, self._jump),
            box("ax-road-box", self._road, box("ax-keys", *self._stops)),
            live(self._cards),
            box("ax-alert", self._problem),
            box("ax-main", box("ax-tale", self._story), controls, views),
            box(
                "ax-pictures",
                box("ax-picture", html("<h2>Accuracy for cost</h2>" + _LEGEND), self._pareto),
                box("ax-picture", self._table, html("<h2>Take it along</h2>"), self._copy),
            ),
            html(story.questions_html()),
            html("<h2>On demand</h2><p>These two build the network with torch, so they take a moment.</p>"),
            box("ax-demand", *on_demand),
        )


def _numbers(notebooks: str) -> str:
    """Return the numbers of notebooks: "05, 06"."""
    return ", ".join(name[:2] for name in notebooks.split(", "))


_LEGEND = (
    '<p class="ax-note">Circles: rungs of the ladder, their accuracy as the paper reports it; filled ones lie on the Pareto '
    "front (the stepped line). Dashed line: this design; a ring marks it where it is a rung.</p>"
)
