"""Registry of the course's exercises, and `check`, which accepts an answer or explains why it is wrong and gives a hint.

The checkers of each notebook are in the module `check_NOTEBOOK`. A checker is a function that takes the reader's answer (a
number, a table or a function) and raises `AnswerError` if the answer is wrong. The tests list the answers that each checker
must accept and the typical mistakes that it must reject.
"""

from __future__ import annotations

import math
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
        hint: shown when an answer is rejected; does not give the answer away.
        test: the checker; takes the answer and raises `AnswerError` if it is wrong.
    """

    name: str
    notebook: str
    accepts: str
    hint: str
    test: Callable[[Any], None]


_EXERCISES: dict[str, Exercise] = {}


def exercise(accepts: str, hint: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Return a decorator that registers a function as the checker of the exercise with the function's name.

    Args:
        accepts: description of the accepted answers, with thresholds.
        hint: shown when an answer is rejected.
    """

    def add(test: Callable[[Any], None]) -> Callable[[Any], None]:
        name, notebook = test.__name__, test.__module__.rpartition(".")[2].removeprefix(_PREFIX)
        assert name not in _EXERCISES or _EXERCISES[name].notebook == notebook, f"two exercises are called {name}"
        _EXERCISES[name] = Exercise(name, notebook, accepts, hint, test)
        return test

    return add


def exercises() -> dict[str, Exercise]:
    """Return all exercises by name, in the order of the notebooks."""
    for notebook in NOTEBOOKS:
        import_module(f"{__package__}.{_PREFIX}{notebook}")
    return dict(_EXERCISES)


def check(name: str, answer: Any) -> None:
    """Check an answer: print what is accepted if it passes, otherwise raise an error with the reason and a hint.

    Args:
        name: name of the exercise, as given in its cell.
        answer: the type depends on the exercise: a number, a name, a table, a function or a module.

    Raises:
        AnswerError: if the answer is wrong.
        AblationError: if no exercise has that name.
    """
    known = exercises()
    if name not in known:
        raise unknown("exercise", name, known)
    found = known[name]
    try:
        require(answer is not None and answer is not ..., "there is no answer yet")
        found.test(answer)
    except AnswerError as wrong:
        reason = str(wrong)
    except Exception as error:  # the reader's code may raise anything
        reason = f"it raised {type(error).__name__}: {error}"
    else:
        print(f"passed: {name}. Accepted: {found.accepts}.")
        return
    raise AnswerError(f"not yet: {name}: {reason}.\nAccepted: {found.accepts}.\nHint: {found.hint}")


def require(condition: object, reason: str) -> None:
    """Raise `AnswerError` with the reason if the condition is false."""
    if not condition:
        raise AnswerError(reason)


def require_number(
    given: Any, expected: float, relative: float = 0.0, what: str = "the number", absolute: float = 0.0
) -> None:
    """Raise `AnswerError` unless a number is within either tolerance of the expected one, which is never revealed."""
    require(not isinstance(given, bool) and hasattr(given, "__float__"), f"{what} must be a number, not {given!r}")
    value = float(given)
    require(math.isfinite(value), f"{what} is {value}")
    reason = f"{what}, {given}, is too {'small' if value < expected else 'large'}"
    require(abs(value - expected) <= max(relative * abs(expected), absolute), reason)


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
    largest = expected.detach().abs().max().item()
    require(
        difference <= tolerance * max(largest, 1e-12),
        f"{what} differs by up to {difference:.3g}; its largest value should be {largest:.3g}",
    )
