"""Engines by name, with the options of each."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any

from ...errors import AblationError, unknown
from .events import Engine, Event
from .local import locally
from .ray import check_shares, on_ray

ENGINES: dict[str, Callable[..., Generator[Event, None, None]]] = {"local": locally, "ray": on_ray}
_OURS = ("trials", "directory", "workers")  # what the study itself gives


def engine_of(engine: str | Engine, options: dict[str, Any]) -> Callable[..., Generator[Event, None, None]]:
    """The engine of a name; a function of one's own as one.

    Args:
        engine: a name, or a function of trials and directory.
        options: checked here, so that a mistake is told before any work.

    Raises:
        AblationError: if there is no such engine, or it has no such option.
    """
    if callable(engine):
        return lambda trials, directory, workers, **own: engine(trials, directory, **own)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    for option in options:
        possible = options_of(engine)
        if option not in possible:
            others = [name for name in ENGINES if option in options_of(name)]
            if others:
                raise AblationError(f"engine {engine!r} has no option {option!r}; engine {others[0]!r} has it")
            if not possible:
                raise AblationError(f"unknown option {option!r}: engine {engine!r} has none")
            raise unknown(f"option of engine {engine!r}:", option, possible)
    if engine == "ray":
        check_shares(**options)
    return ENGINES[engine]


def options_of(engine: str) -> list[str]:
    """The options that an engine has, by name."""
    return [name for name in inspect.signature(ENGINES[engine]).parameters if name not in _OURS]
