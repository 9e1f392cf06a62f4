"""A prediction in a notebook: a row of buttons or a slider where there is a kernel, its text on a page without one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape
from typing import Any

import ipywidgets

from ..show.explorer.layout import box, button, html, live
from .question import Answer, Question

_CSS = """
.guess-row { flex-flow: row wrap; align-items: center; gap: 4px 10px; padding: 6px 0; overflow: visible; }
.guess-row .jupyter-button { width: auto; min-width: 3.5em; height: 30px; line-height: 28px; border: 1px solid
 var(--jp-border-color1, #bdbdbd); border-radius: 15px; padding: 0 14px; background: var(--jp-layout-color1, #fff); }
.guess-row .jupyter-button:focus-visible { outline: 2px solid var(--jp-brand-color1, #1565c0); outline-offset: 2px; }
.guess-row .jupyter-button.guess-taken, .guess-row .jupyter-button.guess-taken:hover { background:
 var(--jp-brand-color1, #1565c0); border-color: var(--jp-brand-color1, #1565c0); color: #fff; opacity: 1; }
.guess-row .widget-slider, .guess-row .jupyter-widget-slider { width: 360px; max-width: 100%; }
.guess-row .guess-name { display: inline-block; font-weight: 600; min-width: 12em; }
.guess-row .guess-choices { flex-flow: row wrap; gap: 4px 6px; overflow: visible; }
.guess-row .ax-live { flex: 1 1 100%; color: var(--jp-ui-font-color2, #616161); min-height: 0; }
.guess-row .ax-live > :first-child { display: none; }
"""


class GuessRow:
    """A row that takes one guess and then shows what became of it.

    Args:
        question: what to guess.
        on_guess: called once with the guess; returns the text to show. An error of it is shown, and the row stays open.

    Attributes:
        widget: the widget to display.
    """

    def __init__(self, question: Question, on_guess: Callable[[Answer], str]) -> None:
        self._question, self._on_guess = question, on_guess
        self._locked = False
        self._status = html()
        self._buttons: dict[str, Any] = {}
        self._boxes: dict[str, Any] = {}
        self._slider: Any = None
        label = html(f'<span class="guess-name">{escape(question.name)}</span>')
        style = html(f"<style>{_CSS}</style>")
        style.layout.display = "none"
        self.widget = box("guess-row", style, label, box("guess-choices", *self._controls()), live(self._status))

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, Any]:
        """Return one output in three formats; pages and saved notebooks without a kernel show the text."""
        bundle = dict(self.widget._repr_mimebundle_(**kwargs) or {})
        return bundle | {"text/plain": repr(self), "text/html": static_html(self._question)}

    def __repr__(self) -> str:
        return f"Predict {self._question.name}: {self._question.describe()}"

    def lock(self, guess: Answer) -> None:
        """Show a guess as taken; it cannot be changed any more."""
        self._locked = True
        taken = [guess] if isinstance(guess, str) else guess if isinstance(guess, list) else []
        for choice, one in self._buttons.items():
            if choice in taken:
                one.add_class("guess-taken")  # it stays enabled: a disabled button would lose the keyboard's focus
            elif self._question.choices and not self._question.several:
                one.disabled = True
        for choice, check in self._boxes.items():
            check.value, check.disabled = choice in taken, True
        if self._slider is not None:
            low, high = self._question.numbers
            self._slider.value, self._slider.disabled = min(max(float(str(guess)), low), high), True
        if not self._question.choices or self._question.several:
            self._buttons[_LOCK].description = "Locked"
            self._buttons[_LOCK].add_class("guess-taken")

    def say(self, text: str) -> None:
        """Show a text below the row, which screen readers announce."""
        self._status.value = escape(text)

    def _controls(self) -> list[Any]:
        asked = self._question
        if asked.choices and not asked.several:
            self._buttons = {choice: button(partial(self._take, choice), choice) for choice in asked.choices}
        else:
            self._buttons = {_LOCK: button(partial(self._take, None), _LOCK)}
        for name, one in self._buttons.items():
            one.tooltip = f"{asked.name}: {name}"
        if asked.several:
            self._boxes = {choice: ipywidgets.Checkbox(description=choice, indent=False) for choice in asked.choices}
            for check in self._boxes.values():
                check.layout.width = "auto"
        elif not asked.choices:
            self._slider = _slider(asked)
        entries = [*self._boxes.values(), *([self._slider] if self._slider is not None else [])]
        return [*entries, *self._buttons.values()]

    def _chosen(self) -> Answer:
        if self._question.several:
            return [choice for choice, check in self._boxes.items() if check.value]
        return self._question.answer(self._slider.value)

    def _take(self, choice: str | None, _: Any) -> None:
        if self._locked:
            return
        guess = self._chosen() if choice is None else choice
        try:
            text = self._on_guess(guess)
        except Exception as error:  # an error in a callback would only appear in the log
            self.say(f"Not kept: {error}")
            return
        self.lock(guess)
        self.say(text)


_LOCK = "Lock"


def _slider(question: Question) -> Any:
    """A slider that starts in the middle, which gives nothing away."""
    low, high = question.numbers
    if question.whole:
        return ipywidgets.IntSlider(value=(int(low) + int(high)) // 2, min=int(low), max=int(high))
    digits = max(0, -_exponent(question.step))
    middle = round((low + high) / 2 / question.step) * question.step
    return ipywidgets.FloatSlider(value=middle, min=low, max=high, step=question.step, readout_format=f",.{digits}f")


def _exponent(step: float) -> int:
    return int(f"{step:e}".partition("e")[2])


def static_html(question: Question) -> str:
    """Return the question as HTML for pages without a kernel.

    >>> from ablation.course.question import question
    >>> static_html(question("slope", ["up", "down"]))
    '<p class="prediction"><b>slope</b> <span>up</span> <span>down</span></p>'
    """
    parts = question.choices if question.choices else (question.describe(),)
    spans = " ".join(f"<span>{escape(part)}</span>" for part in parts)
    return f'<p class="prediction"><b>{escape(question.name)}</b> {spans}</p>'
