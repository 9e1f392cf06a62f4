"""Figures with sliders in a notebook: like `ipywidgets.interact`, with a figure in place of the sliders where there is no kernel.

>>> from ablation.show.style import new_figure
>>> def square(side=2):
...     return new_figure(2, 1), f"area {side * side}"
>>> interact(square, side=(1, 2, 3))
Sliders: side (1 to 3). Shown for side 2: area 4
"""

from __future__ import annotations

import base64
import inspect
import io
from collections.abc import Callable, Mapping, Sequence
from html import escape, unescape
from typing import TYPE_CHECKING, Any

import ipywidgets

from ..errors import AblationError, unknown
from ..show.explorer.layout import box, html, live

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[..., "tuple[Figure, str]"]

_DPI = 110  # of the figure that sliders redraw; 7 inches are then 770 px
_CSS = """
.play { overflow: visible; }
.play .play-sliders { flex-flow: row wrap; gap: 2px 24px; overflow: visible; }
.play-sliders .widget-inline-hbox { width: 340px; max-width: 100%; }
.play-sliders .widget-label { width: auto; min-width: 5.5em; text-align: left; }
.play img { max-width: 100%; height: auto; background: #fff; }
.play .ax-live { font-weight: 600; min-height: 2.6em; white-space: normal; }
.play .ax-live > :first-child { display: none; }
"""


def interact(draw: Draw, **choices: Sequence[Any]) -> Interact:
    """Return a figure with a slider for each argument of a function; as the last line of a cell it is displayed.

    Args:
        draw: takes one value for each slider by name, and returns a figure and a sentence with its numbers, which is shown
            below the sliders and read by screen readers. Its default arguments are the initial values.
        choices: argument -> the values that its slider has, in order.

    Raises:
        AblationError: if there is no slider, an argument does not exist or has no default, or a default is not one of the
            values.
    """
    return Interact(draw, choices)


class Interact:
    """A figure with sliders; see `interact`.

    Args:
        draw, choices: as for `interact`.

    Attributes:
        widget: the widget to display.
        sliders: the slider of each argument.
    """

    def __init__(self, draw: Draw, choices: Mapping[str, Sequence[Any]]) -> None:
        self._draw = draw
        self._start = _initial(draw, choices)
        self._choices = {name: list(values) for name, values in choices.items()}
        self.sliders = {name: _slider(name, self._choices[name], self._start[name]) for name in choices}
        self._text, self._picture = html(), html()
        for slider in self.sliders.values():
            slider.observe(self._redraw, names="value")
        style = html(f"<style>{_CSS}</style>")
        style.layout.display = "none"
        sliders = box("play-sliders", *self.sliders.values())
        self.widget = ipywidgets.VBox([style, sliders, live(self._text), self._picture])
        self.widget.add_class("play")
        self._redraw()
        self._first = unescape(self._text.value)  # the sentence at the initial values

    @property
    def text(self) -> str:
        """The sentence that is shown."""
        return str(self._text.value)

    def _redraw(self, _: Any = None) -> None:
        values = {name: slider.value for name, slider in self.sliders.items()}
        try:
            figure, text = self._draw(**values)
        except Exception as error:  # an error in a callback would only appear in the log
            self._text.value, self._picture.value = escape(f"Cannot be drawn: {error}"), ""
            return
        self._text.value = escape(text)  # sent before the figure, which takes longer
        self._picture.value = _image(figure, text)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the widget, and the figure at the initial values for pages and saved notebooks without a kernel."""
        from ..show.picture import picture
        from ..show.style import headline

        figure, text = self._draw(**self._start)
        still = picture(headline(figure, text, self._note()), alt=text)
        data, metadata = still._repr_mimebundle_()
        bundle = dict(self.widget._repr_mimebundle_(**kwargs) or {})
        return bundle | {"text/plain": repr(self)} | data, metadata

    def __repr__(self) -> str:
        shown = ", ".join(f"{_words(name)} {_value(value)}" for name, value in self._start.items())
        return f"Sliders: {self._spans()}. Shown for {shown}: {self._first}"

    def _spans(self) -> str:
        return ", ".join(f"{_words(name)} ({_span(values)})" for name, values in self._choices.items())

    def _note(self) -> str:
        return f"In JupyterLab, this figure has sliders: {self._spans()}"


def _initial(draw: Draw, choices: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """Return the initial value of each slider, from the default arguments of the function."""
    if not choices:
        raise AblationError("interact needs the values of at least one slider, such as kernel=(3, 5, 7)")
    known = inspect.signature(draw).parameters
    start = {}
    for name, values in choices.items():
        if name not in known:
            raise unknown("argument", name, known)
        start[name] = known[name].default
        if start[name] is inspect.Parameter.empty:
            raise AblationError(f"argument {name!r} needs a default, which is the slider's initial value")
        if start[name] not in list(values):
            raise AblationError(f"the default of {name!r} is {start[name]!r}, which is not one of {list(values)}")
    return start


def _slider(name: str, values: Sequence[Any], start: Any) -> Any:
    options = [(_value(value), value) for value in values]
    return ipywidgets.SelectionSlider(options=options, value=start, description=_words(name))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _span(values: Sequence[Any]) -> str:
    if any(isinstance(value, str) for value in values):
        return ", ".join(map(str, values))
    return f"{_value(values[0])} to {_value(values[-1])}"


def _image(figure: Figure, alt: str) -> str:
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", dpi=_DPI)
    return f'<img alt="{escape(alt)}" src="data:image/png;base64,{base64.b64encode(drawn.getvalue()).decode()}">'
