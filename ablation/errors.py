"""The error class of the library, for every error that a caller can cause."""

from __future__ import annotations

import math
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral, Real

_SHOWN = 100  # characters of a value in a message
_EXACT = 2**53  # whole numbers up to here are floats, too


class AblationError(ValueError):
    """Invalid input. The message is self-contained; the command line prints it and exits with status 2."""


def unknown(kind: str, given: object, possible: Iterable[str]) -> AblationError:
    """Return the error for an unknown name, to be raised by the caller.

    Args:
        kind: kind of object that the name should refer to, such as "step" or "data set".
        given: the given name.
        possible: all valid names.

    Returns:
        An error whose message lists the valid names and suggests the closest match, if there is one.

    >>> print(unknown("step", "gleu", ["gelu", "depthwise"]))
    unknown step 'gleu'; did you mean 'gelu'? Possible: gelu, depthwise
    """
    names = list(possible)
    matches = get_close_matches(given if isinstance(given, str) else shown(given), names, n=1, cutoff=0.5)
    hint = f"; did you mean {matches[0]!r}?" if matches else "."
    return AblationError(f"unknown {kind} {shown(given)}{hint} Possible: {', '.join(names)}")


def check_number(
    name: str,
    value: object,
    least: float | None = None,
    most: float | None = None,
    *,
    whole: bool = False,
    of: str = "",
    reason: str = "",
) -> None:
    """Raise an `AblationError` unless a value is a finite number, and not a bool, between two bounds.

    Args:
        name: what the number is, such as "epochs".
        value: the given value.
        least, most: the bounds, which are possible values, or None for no bound.
        whole: whether it must be a whole number.
        of: where the number stands, such as " of recipe 'paper'".
        reason: appended to the message, such as ": it is the number of seeds per network".

    >>> check_number("epochs", 0, 1, whole=True)
    Traceback (most recent call last):
    ablation.errors.AblationError: epochs 0 must be 1 or more
    """
    if type(value) is int and (whole or abs(value) < _EXACT) and _is_between(value, least, most):
        return  # the usual case, for which no message is made
    given = f"{name} {shown(value)}{of} must be"
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        raise AblationError(f"{given} a {'whole number' if whole else 'number'}{_bounds(least, most)}{reason}")
    if not whole and not math.isfinite(_as_float(value)):
        raise AblationError(f"{given} a finite number{_bounds(least, most)}{reason}")
    if least is not None and value < least:
        raise AblationError(f"{given} {least:,} or more{reason}")
    if most is not None and value > most:  # type: ignore[operator]
        raise AblationError(f"{given} {most:,} or less{reason}")


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, or the name of its type if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def shown(value: object) -> str:
    """Return a value for a message: its `repr`, of which a long one is cut."""
    try:
        text = repr(value)
    except ValueError:  # a whole number of more digits than Python prints
        return f"of {value.bit_length():,} bits" if isinstance(value, int) else f"of type {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}... ({len(text)} characters)"


def _is_between(value: int, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _as_float(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:  # a whole number beyond the range of floats
        return math.inf


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    if least is not None:
        return f", {least:,} or more"
    return "" if most is None else f", {most:,} or less"
