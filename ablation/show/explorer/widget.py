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
from . import demand, diagram, field, panels, pareto
from .look import CSS
from .state import GROUPS, RUNGS, SWITCHES, Design, Switch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DEPTHS = ("stage 1", "stage 2", "stage 3", "stage 4")
_FIELDS = {"kernel_size": "kernel size", "width": "width", "size": "image px"}
_STRIDES = (4, 2, 1)
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
        self._numbers, self._problem, self._rung, self._table = (_html() for _ in range(4))
        self._network, self._block, self._field, self._pareto = (_html() for _ in range(4))
        self._checks = {switch: _checkbox(switch) for switch in SWITCHES}
        self._entries = self._make_entries()
        self._rung_buttons = [
            _button(partial(self._handle, partial(self._design_at, rung.architecture))) for rung in RUNGS
        ]
        self._neighbour_buttons = [
            _button(partial(self._handle, partial(self._design_flipped, switch))) for switch in SWITCHES
        ]
        self._results = {"field": _html(), "forward": _html()}
        self._connect_controls()
        self._update_views()
        self.widget = self._build_layout()

    def __repr__(self) -> str:
        return f"Explorer({self.architecture!r}, size={self.size})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return one output in two formats: the widget, and a static image for pages without a kernel."""
        bundle = dict(self.widget._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        if "VOILA_REQUEST_URL" in os.environ:  # a Voila page always has a kernel
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

    def _design_flipped(self, switch: Switch, _: Any) -> Design:
        return self._design.flip(switch)

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
        self._design = design
        self._update_views()

    def _update_views(self) -> None:
        """Update all views: first the numbers, then the pictures, then the buttons for rungs and neighbours."""
        design = self._design
        self._numbers.value = panels.numbers_html(design)
        self._network.value = diagram.network_svg(design)
        self._block.value = diagram.block_svg(design)
        self._field.value = field.field_svg(design) + f'<p class="ax-note">{escape(field.field_text(design))}</p>'
        note = pareto.pareto_note(design)
        self._pareto.value = pareto.pareto_svg(design) + (f'<p class="ax-note">{escape(note)}</p>' if note else "")
        self._table.value = panels.table_html(design)
        self._rung.value = panels.rung_html(design)
        self._problem.value = _NO_PROBLEM
        self._set_controls()
        for i, (rung, button) in enumerate(zip(RUNGS, self._rung_buttons, strict=True)):
            here = rung.architecture == design.architecture
            button.description = panels.rung_label(i, here)
            (button.add_class if here else button.remove_class)("ax-here")
        for neighbour, button in zip(design.neighbours, self._neighbour_buttons, strict=True):
            button.description = panels.neighbour_label(neighbour)
            button.disabled = neighbour.design is None
        self._to_confirm = ""
        for result in self._results.values():
            result.value = ""

    def _set_controls(self) -> None:
        architecture = self.architecture
        self._react_to_controls = False
        try:
            for switch, check in self._checks.items():
                check.value = switch.is_on(architecture)
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
            ipywidgets.VBox(
                [
                    _heading(group.title, f"section {group.section}, {group.notebook}"),
                    *(self._checks[s] for s in group.switches),
                ]
            )
            for group in GROUPS
        ]
        fields = [self._entries[name] for name in ("kernel_size", "size", "width", "stem_stride")]
        depths = [self._entries[f"depth {i}"] for i in range(4)]
        controls = _box(
            "ax-controls",
            _html("<h2>The paper's twelve steps</h2>"),
            _box("ax-switches", *groups),
            _html("<h2>By hand</h2>"),
            _box("ax-fields", *fields),
            _heading("Blocks in each stage", ""),
            _box("ax-fields", *depths),
        )
        pictures = _box(
            "ax-pictures",
            _box("ax-picture", _html("<h2>Receptive field over a photograph</h2>"), self._field),
            _box("ax-picture", _html("<h2>Accuracy for cost</h2>" + _LEGEND), self._pareto),
        )
        views = _box(
            "ax-views",
            self._problem,
            self._numbers,
            self._rung,
            _html("<h2>The network</h2>"),
            self._network,
            self._block,
            pictures,
            self._table,
        )
        titles = {"field": "Measure the effective receptive field", "forward": "Run one forward pass"}
        on_demand = []
        for action, title in titles.items():
            button = _button(partial(self._run_on_demand, action), title)
            on_demand.append(_box("ax-picture", button, self._results[action]))
        return _box(
            "ax",
            _html(f"<style>{CSS}</style>{field.photograph_symbol()}"),
            _box("ax-main", controls, views),
            _html("<h2>Rungs of the paper's ladder, from ResNet-50 to ConvNeXt-T</h2><p>Press one to go there. The accuracies "
                  "are the paper's: top-1 on ImageNet-1K, its Table 10. More in 01_roadmap.</p>"),
            _box("ax-buttons", *self._rung_buttons),
            _html("<h2>One step from here</h2><p>What each switch would add or save; press one to take it.</p>"),
            _box("ax-buttons", *self._neighbour_buttons),
            _html("<h2>On demand</h2><p>These two build the network with torch, so they take a moment.</p>"),
            _box("ax-demand", *on_demand),
        )  # fmt: skip


_LEGEND = (
    '<p class="ax-note">Circles: rungs of the ladder, their accuracy as the paper reports it; filled ones lie on the Pareto '
    "front (the stepped line). Dashed line: this design; a ring marks it where it is a rung.</p>"
)


def _html(value: str = "") -> Any:
    return ipywidgets.HTML(value)


def _heading(title: str, detail: str) -> Any:
    return _html(f"<h3>{escape(title)} <span>{escape(detail)}</span></h3>")


def _box(name: str, *children: Any) -> Any:
    box = ipywidgets.Box(children)
    box.add_class(name)
    return box


def _checkbox(switch: Switch) -> Any:
    return ipywidgets.Checkbox(description=switch.label, indent=False)


def _button(on_click: Callable[[Any], None], label: str = "") -> Any:
    button = ipywidgets.Button(description=label)
    button.on_click(on_click)
    return button
