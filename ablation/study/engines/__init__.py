"""Where trials run: in processes on this machine, or on a Ray cluster. An engine takes trials and a directory
and yields an `Event` for each thing that happens. `Study` and the command line accept the names in `ENGINES`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ...design.trial import Trial
from ...errors import AblationError, unknown
from .events import ATTEMPTS, Engine, Event
from .local import run_locally
from .ray import run_on_ray
from .ray_shares import check_shares

__all__ = ["ATTEMPTS", "ENGINES", "Engine", "Event", "engine_options", "get_engine", "run_locally", "run_on_ray"]

ENGINES: dict[str, Callable[..., Generator[Event, None, None]]] = {"local": run_locally, "ray": run_on_ray}
_SET_BY_STUDY = ("trials", "directory", "workers", "run_options")


def get_engine(engine: str | Engine, options: dict[str, Any]) -> Callable[..., Generator[Event, None, None]]:
    """Return the engine with a name, or wrap a custom callable.

    Args:
        engine: a name in `ENGINES`, or a callable that takes trials and directory, and `run_options` if a study has any, and
            yields events.
        options: options of the engine, by name; checked here, before any work starts.

    Raises:
        AblationError: if there is no such engine, or it has no such option.
    """
    if callable(engine):
        return partial(_run_by, engine)
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    possible = engine_options(engine)
    for option in options:
        if option in possible:
            continue
        others = [name for name in ENGINES if option in engine_options(name)]
        if others:
            raise AblationError(f"engine {engine!r} has no option {option!r}; engine {others[0]!r} has it")
        if not possible:
            raise AblationError(f"unknown option {option!r}: engine {engine!r} has none")
        raise unknown(f"option of engine {engine!r}:", option, possible)
    if engine == "ray":
        check_shares(**options)
    return ENGINES[engine]


def _run_by(
    engine: Engine,
    trials: Sequence[Trial],
    directory: Path,
    workers: int | None = None,
    run_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> Generator[Event, None, None]:
    """Run trials with a custom engine, which decides itself how many run at a time."""
    return engine(trials, directory, **({"run_options": run_options} if run_options else {}), **options)


def engine_options(engine: str) -> list[str]:
    """Return the names of an engine's options."""
    return [name for name in inspect.signature(ENGINES[engine]).parameters if name not in _SET_BY_STUDY]
