"""What a worker does with a trial, and what its answer means, whatever the engine."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...allocator import keep_freed_memory
from ...errors import AblationError
from ..trial import Outcome, Trial
from .events import ATTEMPTS, Event, failed

Report = Callable[[int, int, float], None]
Run = Callable[[Trial, Path, Report], Outcome]


def run_trial(trial: Trial, directory: Path, report: Report) -> Outcome:
    """Train; torch is loaded here, in the worker."""
    from ..training import run

    return run(trial, directory, report)


def settle(threads: int) -> None:
    """Make this process a worker that computes with so many threads."""
    keep_freed_memory()
    import torch

    torch.set_num_threads(threads)


def answer(run: Run, trial: Trial, directory: Path, report: Report) -> tuple[str, Any]:
    """Run a trial and say what came of it, in plain data that any engine can send.

    Returns:
        ("outcome", it), ("refused", why) for a trial asked for wrongly, or ("raised", traceback).
    """
    try:
        return "outcome", run(trial, directory, report)
    except AblationError as error:
        return "refused", f"AblationError: {error}"
    except Exception:
        return "raised", traceback.format_exc()


def end_of(trial: Trial, attempt: int, kind: str, content: Any) -> Event | None:
    """The end of a trial that an answer, or a death ("died", how), means; None if it is to be taken up again."""
    if kind == "outcome":
        return Event(trial, "ended", attempt, outcome=content)
    if kind == "refused":
        return Event(trial, "ended", attempt, outcome=failed(content))
    if attempt < ATTEMPTS:
        return None
    return Event(trial, "ended", attempt, outcome=failed(f"failed {attempt} times, the last time thus:\n{content}"))


@contextmanager
def variables(changes: Mapping[str, str | None]) -> Iterator[None]:
    """Variables that a process started meanwhile has from its first instruction on; put back afterwards, also where None."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update({name: value for name, value in changes.items() if value is not None})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
