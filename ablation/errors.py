"""The error class of the library, for every error that a caller can cause."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


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
    matches = get_close_matches(str(given), names, n=1, cutoff=0.5)
    hint = f"; did you mean {matches[0]!r}?" if matches else "."
    return AblationError(f"unknown {kind} {given!r}{hint} Possible: {', '.join(names)}")
