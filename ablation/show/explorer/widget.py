"""The explorer itself: controls and views of ipywidgets around one `Design`."""

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
_NOTHING = panels.problem_html("")


class Explorer:
    """The design space under your hands: switches for the paper's steps, and at once what each does to the network.

    Shown at the end of a cell it is a widget where there is a kernel and a picture where there is none.

    Args:
        start: the network to start from.
        size: side of the image in pixels.

    Attributes:
        widget: the whole of it, to display.

    Raises:
        AblationError: if the image is too small for the network's strides.
    """

    def __init__(self, start: Architecture = RESNET50, size: int = 224) -> None:
        self._design = Design(start, size)
        self._following = True  # controls that a person moves change the design; those that we set do not
        self._asked: str = ""  # what a large design was asked to do, and the person asked back
        self._numbers, self._problem, self._place, self._table = (_html() for _ in range(4))
        self._network, self._block, self._field, self._pareto = (_html() for _ in range(4))
        self._checks = {switch: _checkbox(switch) for switch in SWITCHES}
        self._entries = self._make_entries()
        self._rungs = [_button(partial(self._try, partial(self._at, rung.architecture))) for rung in RUNGS]
        self._neighbours = [_button(partial(self._try, partial(self._flipped, switch))) for switch in SWITCHES]
        self._results = {"field": _html(), "forward": _html()}
        self._watch()
        self._show()
        self.widget = self._lay_out()

    def __repr__(self) -> str:
        return f"Explorer({self.architecture!r}, size={self.size})"

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """The widget, and for a page without a kernel the picture: one output of two kinds, of which a page shows one."""
        bundle = dict(self.widget._repr_mimebundle_(**kwargs) or {})
        bundle["text/plain"] = repr(self)
        if "VOILA_REQUEST_URL" in os.environ:  # a page of Voila always has a kernel
            return bundle, {}
        picture = self.picture()
        bundle["image/png"] = base64.b64encode(picture.data).decode()
        return bundle, {"image/png": {"alt": picture.alt, "width": picture.width}}

    @property
    def architecture(self) -> Architecture:
        """The network that is shown; setting it shows another."""
        return self._design.architecture

    @architecture.setter
    def architecture(self, architecture: Architecture) -> None:
        self._go(Design(architecture, self._design.size))

    @property
    def size(self) -> int:
        """Side of the image in pixels."""
        return self._design.size

    def figure(self) -> Figure:
        """What is shown now as a figure of matplotlib."""
        from .twin import plot_design

        return plot_design(self._design)

    def picture(self) -> Any:
        """What is shown now as a still picture with alt text: an `IPython.display.Image`."""
        from ..picture import picture
        from .twin import describe

        return picture(self.figure(), alt=describe(self._design))

    def _make_entries(self) -> dict[str, Any]:
        """Controls of the fields that are numbers, by field; of a stage's depth, by the stage's number."""
        entries: dict[str, Any] = {name: ipywidgets.IntText(description=words) for name, words in _FIELDS.items()}
        entries["stem_stride"] = ipywidgets.Dropdown(description="stem stride", options=_STRIDES)
        entries |= {f"depth {i}": ipywidgets.IntText(description=words) for i, words in enumerate(_DEPTHS)}
        return entries

    def _watch(self) -> None:
        for switch, check in self._checks.items():
            check.observe(partial(self._try, partial(self._switched, switch)), "value")
        for name, entry in self._entries.items():
            entry.observe(partial(self._try, partial(self._with, name)), "value")

    def _at(self, architecture: Architecture, _: Any) -> Design:
        return Design(architecture, self.size)

    def _flipped(self, switch: Switch, _: Any) -> Design:
        return self._design.flip(switch)

    def _switched(self, switch: Switch, change: Any) -> Design:
        return self._design if change["new"] == switch.is_on(self.architecture) else self._design.flip(switch)

    def _with(self, name: str, change: Any) -> Design:
        value = change["new"]
        if not name.startswith("depth"):
            return self._design.change(**{name: value})
        depths = list(self.architecture.depths)
        depths[int(name.split()[1])] = value
        return self._design.change(depths=tuple(depths))

    def _try(self, make: Callable[[Any], Design], event: Any) -> None:
        """Go to the design that an event on a control makes, or say why there is none and put the controls back."""
        if not self._following:
            return
        try:
            design = make(event)
        except AblationError as error:
            self._problem.value = panels.problem_html(str(error))
            self._set_controls()
            return
        self._go(design)

    def _go(self, design: Design) -> None:
        self._design = design
        self._show()

    def _show(self) -> None:
        """Bring every view up to date: numbers first, then pictures, then what one might do next."""
        design = self._design
        self._numbers.value = panels.numbers_html(design)
        self._network.value = diagram.network_svg(design)
        self._block.value = diagram.block_svg(design)
        self._field.value = field.field_svg(design) + f'<p class="ax-note">{escape(field.field_words(design))}</p>'
        note = pareto.pareto_note(design)
        self._pareto.value = pareto.pareto_svg(design) + (f'<p class="ax-note">{escape(note)}</p>' if note else "")
        self._table.value = panels.table_html(design)
        self._place.value = panels.place_html(design)
        self._problem.value = _NOTHING
        self._set_controls()
        for i, (rung, button) in enumerate(zip(RUNGS, self._rungs, strict=True)):
            here = rung.architecture == design.architecture
            button.description = panels.rung_words(i, here)
            (button.add_class if here else button.remove_class)("ax-here")
        for neighbour, button in zip(design.neighbours, self._neighbours, strict=True):
            button.description = panels.neighbour_words(neighbour)
            button.disabled = neighbour.design is None
        self._asked = ""
        for result in self._results.values():
            result.value = ""

    def _set_controls(self) -> None:
        architecture = self.architecture
        self._following = False
        try:
            for switch, check in self._checks.items():
                check.value = switch.is_on(architecture)
            for name, entry in self._entries.items():
                if name.startswith("depth"):
                    entry.value = architecture.depths[int(name.split()[1])]
                else:
                    entry.value = self.size if name == "size" else getattr(architecture, name)
        finally:
            self._following = True

    def _demand(self, what: str, _: Any = None) -> None:
        """Run what was asked for; a large design only when asked twice."""
        result = self._results[what]
        warning = demand.warning(self._design, what)
        if warning and self._asked != what:
            self._asked = what
            result.value = f'<p role="status" class="ax-problem">{escape(warning)}</p>'
            return
        self._asked = ""
        result.value = (
            '<p role="status">Busy: building the network and running it. The first time also loads torch.</p>'
        )
        try:
            if what == "field":
                result.value = demand.effective_html(demand.effective_field(self._design))
            else:
                result.value = demand.forward_html(self._design)
        except (AblationError, RuntimeError, MemoryError) as error:  # torch says RuntimeError where memory ends
            said = str(error).partition("\n")[0] or "there is not enough memory"
            result.value = f'<p role="alert" class="ax-problem"><b>That did not work.</b> {escape(said)}</p>'

    def _lay_out(self) -> Any:
        groups = [
            ipywidgets.VBox(
                [
                    _heading(group.title, f"section {group.section}, {group.notebook}"),
                    *(self._checks[s] for s in group.switches),
                ]
            )
            for group in GROUPS
        ]
        by_hand = [self._entries[name] for name in ("kernel_size", "size", "width", "stem_stride")]
        depths = [self._entries[f"depth {i}"] for i in range(4)]
        controls = _box(
            "ax-controls",
            _html("<h2>The paper's twelve steps</h2>"),
            _box("ax-switches", *groups),
            _html("<h2>By hand</h2>"),
            _box("ax-fields", *by_hand),
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
            self._place,
            _html("<h2>The network</h2>"),
            self._network,
            self._block,
            pictures,
            self._table,
        )
        titles = {"field": "Measure the effective receptive field", "forward": "Run one forward pass"}
        on_demand = []
        for what, title in titles.items():
            button = _button(partial(self._demand, what), title)
            on_demand.append(_box("ax-picture", button, self._results[what]))
        return _box(
            "ax",
            _html(f"<style>{CSS}</style>{field.photograph_symbol()}"),
            _box("ax-main", controls, views),
            _html("<h2>Rungs of the paper's ladder, from ResNet-50 to ConvNeXt-T</h2><p>Press one to go there. The accuracies "
                  "are the paper's: top-1 on ImageNet-1K, its Table 10. More in 01_roadmap.</p>"),
            _box("ax-buttons", *self._rungs),
            _html("<h2>One step from here</h2><p>What each switch would add or save; press one to take it.</p>"),
            _box("ax-buttons", *self._neighbours),
            _html("<h2>On demand</h2><p>These two build the network with torch, so they take a moment.</p>"),
            _box("ax-demand", *on_demand),
        )  # fmt: skip


_LEGEND = (
    '<p class="ax-note">Circles: rungs of the ladder, their accuracy as the paper reports it; filled ones lie on the Pareto '
    "front (the stepped line). Dashed line: this design; a ring marks it where it is a rung.</p>"
)


def _html(value: str = "") -> Any:
    return ipywidgets.HTML(value)


def _heading(title: str, where: str) -> Any:
    return _html(f"<h3>{escape(title)} <span>{escape(where)}</span></h3>")


def _box(name: str, *children: Any) -> Any:
    box = ipywidgets.Box(children)
    box.add_class(name)
    return box


def _checkbox(switch: Switch) -> Any:
    return ipywidgets.Checkbox(description=switch.words, indent=False)


def _button(act: Callable[[Any], None], words: str = "") -> Any:
    button = ipywidgets.Button(description=words)
    button.on_click(act)
    return button
