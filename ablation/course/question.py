"""One prediction as a frozen value: what may be guessed, when a guess is right, and how guesses and results are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import AblationError, check_number, shown, unknown

Answer = str | float | list[str]  # as in a JSON file: a choice, a number, or several choices

_YES_NO = {True: "yes", False: "no"}
_NO_CHOICE = "none of them"
_STEPS = 100  # about as many positions as a slider has between its ends
_ROUNDING = 1e-9  # of the ends of a tolerance


@dataclass(frozen=True)
class Question:
    """What a prediction asks for: one of some choices, any of them, or a number.

    Args:
        name: name of the prediction, which is also its label.
        choices: the possible answers, or () for a number.
        several: whether any number of the choices may be chosen.
        numbers: the least and the greatest number that can be guessed.
        within: how far a guessed number may be from the result and still be right.
        unit: unit of the number, such as "px" or "%".
    """

    name: str
    choices: tuple[str, ...] = ()
    several: bool = False
    numbers: tuple[float, float] = (0, 0)
    within: float = 0
    unit: str = ""

    @property
    def whole(self) -> bool:
        """Whether the number is a whole number."""
        return all(isinstance(number, int) for number in (*self.numbers, self.within))

    @property
    def step(self) -> float:
        """The distance between two numbers that can be guessed: 1, 2 or 5 times a power of ten; 1 for whole numbers."""
        if self.whole:
            return 1
        rough = (self.numbers[1] - self.numbers[0]) / _STEPS
        power = 10.0 ** math.floor(math.log10(rough))
        return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - _ROUNDING))

    def describe(self) -> str:
        """Return what may be guessed.

        >>> question("slope", ["positive", "negative"]).describe()
        'positive or negative'
        >>> question("field", numbers=(1, 500), within=20, unit="px").describe()
        'a whole number from 1 to 500 px, right within 20 px'
        """
        if self.choices:
            listed = f"{', '.join(self.choices[:-1])} or {self.choices[-1]}"
            return f"any of: {', '.join(self.choices)}" if self.several else listed
        low, high = (f"{number:,}" for number in self.numbers)
        kind = "a whole number" if self.whole else "a number"
        tolerance = f", right within {self.text(self.within)}" if self.within else ""
        return f"{kind} from {low} to {high}{self._unit()}{tolerance}"

    def answer(self, value: Any) -> Answer:
        """Return a guess or a result as it is compared and kept; True and False are "yes" and "no".

        Raises:
            AblationError: if it is not among the choices, or not a number.
        """
        if self.several:
            if isinstance(value, str) or not isinstance(value, Iterable):
                raise AblationError(f"the answer to {self.name!r} must be a list of choices, not {shown(value)}")
            given = [self._choice(one) for one in value]
            return [choice for choice in self.choices if choice in given]
        if self.choices:
            return self._choice(value)
        number = value.item() if hasattr(value, "item") else value  # of numpy or torch
        check_number("the answer", number, of=f" to {self.name!r}")
        return int(number) if float(number).is_integer() and self.whole else float(number)

    def is_right(self, guess: Answer, result: Answer) -> bool:
        """Return whether a guess equals the result, or is a number within the tolerance."""
        if isinstance(guess, int | float) and isinstance(result, int | float):
            return abs(guess - result) <= self.within + _ROUNDING * max(1, abs(result))
        return guess == result

    def text(self, answer: Answer) -> str:
        """Return a guess or a result as text, with its unit.

        >>> question("factor", numbers=(0.0, 5.0), within=0.2).text(2.9841)
        '2.98'
        """
        if isinstance(answer, list):
            return ", ".join(answer) or _NO_CHOICE
        if isinstance(answer, str):
            return answer
        return (f"{answer:,}" if float(answer).is_integer() else f"{answer:,.3g}") + self._unit()

    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""

    def _choice(self, value: Any) -> str:
        named = value.item() if hasattr(value, "item") else value
        text = _YES_NO[named] if isinstance(named, bool) and set(_YES_NO.values()) <= set(self.choices) else str(named)
        if text not in self.choices:
            raise unknown(f"answer to {self.name!r}", named, self.choices)
        return text


def question(
    name: str,
    choices: Sequence[Any] | None = None,
    *,
    several: bool = False,
    numbers: tuple[float, float] | None = None,
    within: float = 0,
    unit: str = "",
) -> Question:
    """Return a question after checking it.

    Args:
        name: name of the prediction, which is also its label.
        choices: the possible answers; any values, of which the text is shown.
        several: whether any number of the choices may be chosen.
        numbers: instead of choices, the least and the greatest number that can be guessed; a slider of whole numbers if both
            and `within` are whole.
        within: how far a guessed number may be from the result and still be right.
        unit: unit of the number, such as "px" or "%".

    Raises:
        AblationError: if there are neither choices nor numbers, or both, or if they leave nothing to guess.
    """
    if not isinstance(name, str) or not name.strip():
        raise AblationError(f"the name of a prediction must be a text, not {shown(name)}")
    if (choices is None) == (numbers is None):
        raise AblationError(f"prediction {name!r} needs either choices or numbers=(least, greatest)")
    if choices is not None:
        if isinstance(choices, str) or not isinstance(choices, Iterable):
            raise AblationError(f"the choices of prediction {name!r} must be a list, not {shown(choices)}")
        texts = tuple(str(choice) for choice in choices)
        if len(set(texts)) != len(texts) or len(texts) < 2:
            raise AblationError(f"prediction {name!r} needs two or more choices, all different: {shown(list(texts))}")
        return Question(name, texts, several)
    low, high = _ends(name, numbers)
    check_number("within", within, 0, of=f" of prediction {name!r}")
    asked = Question(name, numbers=(low, high), within=within, unit=unit)
    if not asked.whole and not within:
        raise AblationError(
            f"prediction {name!r} needs within=..., the distance at which a guess still counts as right"
        )
    return asked


def _ends(name: str, numbers: Any) -> tuple[float, float]:
    try:
        low, high = numbers
    except (TypeError, ValueError):
        raise AblationError(
            f"the numbers of prediction {name!r} must be two, least and greatest: {shown(numbers)}"
        ) from None
    for number in (low, high):
        check_number("numbers", number, of=f" of prediction {name!r}")
    if not low < high:
        raise AblationError(f"the numbers of prediction {name!r} must be least and greatest, not {low} and {high}")
    return low, high
