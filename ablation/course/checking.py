"""Registry of the course's exercises, and `check`, which accepts an answer or explains why it is wrong and gives hints.

The checkers of each notebook are in the module `check_NOTEBOOK`. A checker is a function that takes the reader's answer (a
number, a table or a function) and raises `AnswerError` if the answer is wrong. A reason never says in which direction a number
is wrong, so that the answer cannot be found by bisection. The tests list the answers that each checker must accept and the
typical mistakes that it must reject.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..errors import unknown

NOTEBOOKS = (
    "start_here",
    "roadmap",
    "macro_design",
    "depthwise_and_inverted",
    "large_kernels",
    "micro_design",
    "downsampling",
    "training",
    "cost_and_speed",
    "attributions",
    "your_own_step",
)
_PREFIX = "check_"  # of the modules that hold the checkers
_SECOND_HINT = 3  # the number of wrong answers from which on the second hint is shown, too
_MISSING = "there is no answer yet"


class AnswerError(AssertionError):
    """Raised for a rejected answer. The message is written for the reader; notebooks show it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


@dataclass(frozen=True)
class Exercise:
    """A self-checking exercise.

    Args:
        name: name to pass to `check`; the name of the checker function.
        notebook: name of the notebook, without its number.
        accepts: description of the accepted answers, with thresholds.
        hints: the first is shown with every rejected answer, the second from the third rejected answer on. Neither
            contains the answer.
        test: the checker; takes the answer and raises `AnswerError` if it is wrong.
    """

    name: str
    notebook: str
    accepts: str
    hints: tuple[str, str]
    test: Callable[[Any], None]


_EXERCISES: dict[str, Exercise] = {}
_rejected: Counter[str] = Counter()  # wrong answers by exercise, in this process and since the last right one


def exercise(accepts: str, hints: tuple[str, str]) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Return a decorator that registers a function as the checker of the exercise with the function's name.

    Args:
        accepts: description of the accepted answers, with thresholds.
        hints: shown when an answer is rejected, the second from the third rejected answer on.
    """

    def add(test: Callable[[Any], None]) -> Callable[[Any], None]:
        name, notebook = test.__name__, test.__module__.rpartition(".")[2].removeprefix(_PREFIX)
        assert name not in _EXERCISES or _EXERCISES[name].notebook == notebook, f"two exercises are called {name}"
        _EXERCISES[name] = Exercise(name, notebook, accepts, hints, test)
        return test

    return add


def exercises() -> dict[str, Exercise]:
    """Return all exercises by name, in the order of the notebooks."""
    for notebook in NOTEBOOKS:
        import_module(f"{__package__}.{_PREFIX}{notebook}")
    return dict(_EXERCISES)


def check(name: str, answer: Any) -> None:
    """Check an answer: print what is accepted if it passes, otherwise raise an error with the reason and hints.

    A missing answer, such as `None` or a function that raises `NotImplementedError`, is not counted and shows no hint.

    Args:
        name: name of the exercise, as given in its cell.
        answer: the type depends on the exercise: a number, a name, a table, a function or a module.

    Raises:
        AnswerError: if the answer is wrong or missing.
        AblationError: if no exercise has that name.
    """
    known = exercises()
    if name not in known:
        raise unknown("exercise", name, known)
    found = known[name]
    reason = _reason(found, answer)
    if reason is None:
        _rejected.pop(name, None)
        print(f"passed: {name}. Accepted: {found.accepts}.")
        return
    lines = [f"not yet: {name}: {reason}.", f"Accepted: {found.accepts}."]
    if reason != _MISSING:
        _rejected[name] += 1
        lines += _hints(found.hints, _rejected[name])
    raise AnswerError("\n".join(lines))


def _reason(found: Exercise, answer: Any) -> str | None:
    """Return why an answer is wrong, or None if it is right."""
    if answer is None or answer is ...:
        return _MISSING
    try:
        found.test(answer)
    except AnswerError as wrong:
        return str(wrong)
    except NotImplementedError:  # the cell has not been filled in
        return _MISSING
    except Exception as error:  # the reader's code may raise anything
        return f"it raised {type(error).__name__}: {error}"
    return None


def _hints(hints: tuple[str, str], rejected: int) -> list[str]:
    """Return the lines of the hints after that number of rejected answers."""
    first, second = hints
    if rejected < _SECOND_HINT:
        return [f"Hint 1 of 2: {first}", f"Hint 2 of 2 follows after {_SECOND_HINT} wrong answers."]
    return [f"Hint 1 of 2: {first}", f"Hint 2 of 2: {second}"]


def require(condition: object, reason: str) -> None:
    """Raise `AnswerError` with the reason if the condition is false."""
    if not condition:
        raise AnswerError(reason)


def require_number(
    given: Any, expected: float, relative: float = 0.0, what: str = "the number", absolute: float = 0.0
) -> None:
    """Raise `AnswerError` unless a number is within either tolerance of the expected one.

    The message reveals neither the expected number nor the side on which it lies.
    """
    require(not isinstance(given, bool) and hasattr(given, "__float__"), f"{what} must be a number, not {given!r}")
    value = float(given)
    require(math.isfinite(value), f"{what} is {value}")
    require(abs(value - expected) <= max(relative * abs(expected), absolute), f"{what} is not {given}")


def require_close(given: Any, expected: Any, what: str = "the result") -> None:
    """Raise `AnswerError` unless two tensors have the same shape and agree within the precision of their device.

    The tolerance, relative to the largest value, is 1e-9 in float64 and 1e-4 in float32 on a CPU, and 1e-2 otherwise: a GPU
    may round (TF32), and so does half precision.
    """
    import torch

    require(isinstance(given, torch.Tensor), f"{what} must be a tensor, not {type(given).__name__}")
    require(given.shape == expected.shape, f"{what} has shape {tuple(given.shape)} instead of {tuple(expected.shape)}")
    exact = given.device.type == "cpu" and given.dtype in (torch.float32, torch.float64)
    tolerance = (1e-9 if given.dtype == torch.float64 else 1e-4) if exact else 1e-2
    difference = (given.detach().cpu().double() - expected.detach().cpu().double()).abs().max().item()
    largest = max(expected.detach().abs().max().item(), 1e-12)
    require(
        difference <= tolerance * largest,
        f"{what} differs by up to {100 * difference / largest:.2g} % of its largest value",
    )
