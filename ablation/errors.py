"""One error class for every mistake a caller can make: what was given, what is possible, the nearest name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class AblationError(ValueError):
    """A mistake in what was asked for. Its message stands alone; the command line prints it and exits with 2."""


def unknown(kind: str, given: object, possible: Iterable[str]) -> AblationError:
    """The error for a name that does not exist.

    Args:
        kind: what the name was meant to be, such as "step" or "data set".
        given: what was given instead.
        possible: every name that would have been accepted.

    Returns:
        An error to raise. It offers the nearest name where one is near.

    >>> print(unknown("step", "gleu", ["gelu", "depthwise"]))
    unknown step 'gleu'; did you mean 'gelu'? Possible: gelu, depthwise
    """
    names = list(possible)
    near = get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return AblationError(f"unknown {kind} {given!r}{hint} Possible: {', '.join(names)}")
