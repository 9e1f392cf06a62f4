"""What the worker processes of all engines do: prepare, run a trial, and return its result as plain data."""

from __future__ import annotations

import gc
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...design.trial import Outcome, Trial
from ...environment import keep_freed_memory
from ...errors import AblationError, first_line, unknown

Report = Callable[[int, int, float], None]  # called with epoch, epochs, mean training loss
Run = Callable[..., Outcome]  # called with a trial, the directory, a `Report`, and the options of `run` by name
# Results of a trial whose process runs no other one: an error of CUDA, for example, makes all later work of its process fail.
FAULTS = ("raised", "no memory")
_SET_BY_ENGINE = ("trial", "directory", "progress", "keep", "wait_seconds")
_WAIT_SECONDS = 60.0  # a worker whose driver was killed ends within seconds, after a minute at most on a busy machine


def run_trial(trial: Trial, directory: Path, report: Report, **options: Any) -> Outcome:
    """Train one network. Torch is imported here, in the worker, and not in the driver.

    Its checkpoints are kept until the driver has stored the outcome.
    """
    from ...train.run import run

    return run(trial, directory, report, keep=True, wait_seconds=_WAIT_SECONDS, **options)


def check_run_options(options: Mapping[str, Any]) -> None:
    """Raise an `AblationError` for an option that `run` does not have, or that engines set."""
    if not options:  # torch is not imported for a study that is only read
        return
    from ...train.run import run

    possible = [name for name in inspect.signature(run).parameters if name not in _SET_BY_ENGINE]
    for name in options:
        if name not in possible:
            raise unknown("run option", name, possible)


def configure_worker(threads: int) -> None:
    """Prepare this process to train with the given number of threads."""
    keep_freed_memory()
    import torch

    torch.set_num_threads(threads)


def release_gpu_memory() -> None:
    """Return the GPU memory that torch keeps for later tensors, if this process has used a GPU."""
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()


def run_and_catch(
    run: Run, trial: Trial, directory: Path, report: Report, options: Mapping[str, Any], share: int = 1
) -> tuple[str, Any]:
    """Run a trial and return its result as plain data that any engine can send.

    Args:
        run: the function that runs it.
        trial, directory, report: passed to `run`.
        options: passed to `run`, by name.
        share: trials that may run at the same time on its GPU; more than one becomes part of the outcome's environment.

    Returns:
        ("outcome", outcome), ("refused", message) for an invalid trial, ("no memory", message) if the device has not enough,
        or ("raised", traceback).
    """
    try:
        outcome = run(trial, directory, report, **options)
    except AblationError as error:
        return "refused", f"AblationError: {error}"
    except Exception as error:
        if _is_lack_of_memory(error):
            return "no memory", _memory_message(trial, share, error)
        return "raised", traceback.format_exc()
    if share > 1:
        outcome = replace(outcome, environment={**outcome.environment, "trials_per_device": share})
    return "outcome", outcome


def _is_lack_of_memory(error: Exception) -> bool:
    """Whether a GPU has too little memory, by the words of torch's allocator and of CUDA's libraries."""
    words = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, RuntimeError) and any(one in str(error) for one in words)


def _memory_message(trial: Trial, share: int, error: Exception) -> str:
    """Say which trial needs too much memory of a device, who shared it, and what to do."""
    advice = "a smaller batch_size, or more parts of a batch (accumulate)"
    if share > 1:
        shared, advice = f", which {share} trials shared", f"fewer workers (--workers), {advice}"
    else:
        shared = ", which it had alone"
    return (
        f"{trial.architecture}, seed {trial.seed}, batch_size {trial.recipe.batch_size}, on {trial.data}: the device{shared}, "
        f"has too little memory. Possible: {advice}. {type(error).__name__}: {first_line(error)}"
    )
