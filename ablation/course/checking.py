"""Exercises by name, and one call that checks an answer: it says what is accepted, and gives a hint where that is not met.

Each notebook has a module of checkers here, named after it. A checker is a function that takes the answer, a number, a
table or a function of the reader's, and raises `AnswerError` where it falls short; which answers it must let pass and which
typical mistakes it must turn away is written in the tests.
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


class AnswerError(AssertionError):
    """An answer that does not pass; the message is for the reader. Notebooks show it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


@dataclass(frozen=True)
class Exercise:
    """One exercise that checks itself.

    Args:
        name: what `check` calls it by; that of the function that checks it.
        notebook: the module of its notebook.
        accepts: what passes, with its thresholds, in words.
        hint: for those whose answer does not pass; it does not give the answer away.
        test: takes the answer; raises `AnswerError` where it falls short.
    """

    name: str
    notebook: str
    accepts: str
    hint: str
    test: Callable[[Any], None]


_EXERCISES: dict[str, Exercise] = {}


def exercise(accepts: str, hint: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Make a function the checker of the exercise of its name.

    Args:
        accepts: what passes, with its thresholds, in words.
        hint: for those whose answer does not pass.
    """

    def add(test: Callable[[Any], None]) -> Callable[[Any], None]:
        name, notebook = test.__name__, test.__module__.rpartition(".")[2]
        assert name not in _EXERCISES or _EXERCISES[name].notebook == notebook, f"two exercises are called {name}"
        _EXERCISES[name] = Exercise(name, notebook, accepts, hint, test)
        return test

    return add


def exercises() -> dict[str, Exercise]:
    """All exercises by name, in the order of the notebooks."""
    for notebook in NOTEBOOKS:
        import_module(f"{__package__}.{notebook}")
    return dict(_EXERCISES)


def check(name: str, answer: Any) -> None:
    """Check an answer; print what was accepted, or raise with what falls short and a hint.

    Args:
        name: of the exercise, as its cell gives it.
        answer: as the exercise asks for: a number, a name, a table, a function or a module.

    Raises:
        AnswerError: if the answer does not pass.
        AblationError: if there is no exercise of that name.
    """
    known = exercises()
    if name not in known:
        raise unknown("exercise", name, known)
    of = known[name]
    try:
        need(answer is not None and answer is not ..., "there is no answer yet")
        of.test(answer)
    except AnswerError as wrong:
        fault = str(wrong)
    except Exception as error:  # whatever the reader's own code raises
        fault = f"it raised {type(error).__name__}: {error}"
    else:
        print(f"passed: {name}. Accepted: {of.accepts}.")
        return
    raise AnswerError(f"not yet: {name}: {fault}.\nAccepted: {of.accepts}.\nHint: {of.hint}")


def need(condition: object, fault: str) -> None:
    """Raise `AnswerError` with the fault unless the condition holds."""
    if not condition:
        raise AnswerError(fault)


def need_number(
    given: Any, wanted: float, relative: float = 0.0, what: str = "the number", absolute: float = 0.0
) -> None:
    """Raise `AnswerError` unless a number is given within one of the tolerances of what is wanted; it never says which."""
    need(not isinstance(given, bool) and hasattr(given, "__float__"), f"{what} must be a number, not {given!r}")
    value = float(given)
    need(math.isfinite(value), f"{what} is {value}")
    fault = f"{what}, {given}, is too {'small' if value < wanted else 'large'}"
    need(abs(value - wanted) <= max(relative * abs(wanted), absolute), fault)


def need_close(given: Any, wanted: Any, what: str = "the result") -> None:
    """Raise `AnswerError` unless two tensors have one shape and agree as far as their device computes.

    Held to a share of the largest value: 1e-9 in float64, 1e-4 in float32, and 1e-2 where a GPU may round (TF32, half
    precision).
    """
    import torch

    need(isinstance(given, torch.Tensor), f"{what} must be a tensor, not {type(given).__name__}")
    need(given.shape == wanted.shape, f"{what} has shape {tuple(given.shape)} and should have {tuple(wanted.shape)}")
    exact = given.device.type == "cpu" and given.dtype in (torch.float32, torch.float64)
    share = (1e-9 if given.dtype == torch.float64 else 1e-4) if exact else 1e-2
    difference = (given.detach().cpu().double() - wanted.detach().cpu().double()).abs().max().item()
    largest = wanted.detach().abs().max().item()
    need(
        difference <= share * max(largest, 1e-12),
        f"{what} is off by {difference:.3g} where values go up to {largest:.3g}",
    )
