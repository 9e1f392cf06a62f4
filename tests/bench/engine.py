"""Benchmark of the local engine on the digits ladder, against one process that runs the same trials sequentially.

Both sides are timed from the start of their first process to the end of their last, in a new folder. The time includes
importing torch, reading the digits, building, training, testing and saving the weights, and for the engine also the
study's store. Only training images are counted. The ladder is shortened to limit the time per pair, so start-up takes a
larger share than in a full study, especially for the engine, which starts one process per core.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ablation import data as datasets
from ablation.design.trial import Trial
from ablation.environment import cores
from ablation.study.ladder import ladder_trials
from ablation.study.study import Study
from tests.bench.pairs import interleaved

FAMILY, DATA, EPOCHS = "micro", "digits", 3
RUNGS = slice(
    1, None, 2
)  # eight trials with one recipe, so that cores share them evenly, as is nearly the case in a full study


def short_ladder() -> list[Trial]:
    """Return trials of every other rung with one seed, trained for a few epochs."""
    trials = list(ladder_trials(FAMILY, DATA, seeds=[0]))[RUNGS]
    return [replace(trial, recipe=trial.recipe.replace(epochs=EPOCHS)) for trial in trials]


def run_in_engine(trials: Sequence[Trial]) -> None:
    """Run the trials as a study with the local engine: one process per core, one thread each."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Study(trials, folder).run()
        assert [outcomes[trial].status for trial in trials] == ["done"] * len(trials)


def run_in_one_process(trials: Sequence[Trial]) -> None:
    """Run the trials in one process that is started as the engine starts its processes, with all threads."""
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=_run_sequentially, args=(trials, Path(folder)))
        process.start()
        try:
            process.join()
        finally:  # also after an interrupt
            process.kill()
            process.join()
        assert process.exitcode == 0 and len([*Path(folder).glob("weights/*.safetensors")]) == len(trials)


def _run_sequentially(trials: Sequence[Trial], folder: Path) -> None:
    from ablation.environment import keep_freed_memory

    keep_freed_memory()  # as the engine's processes do
    import torch

    from ablation import run

    torch.set_num_threads(cores())
    for trial in trials:
        run(trial, folder)


def bench_engine(pairs: int, console: Console) -> None:
    """Compare training images per second of wall time, including start-up."""
    trials = short_ladder()
    loaded = datasets.load(DATA)
    steps = sum(trial.recipe.epochs * loaded.steps_per_epoch(trial.recipe) for trial in trials)
    images = steps * trials[0].recipe.batch_size
    console.print(
        f"The digits ladder, every other rung ({len(trials)}) with one seed for {EPOCHS} epochs: a study with the local engine "
        f"({cores()} processes with one thread each) against one process with {cores()} threads that runs the trials "
        f"sequentially. Speed is {images:,} training images divided by total wall time, including start-up, testing and saving.",
        highlight=False,
    )
    # If GPUs are visible, the engine starts one process per GPU.
    only_cores = patch.dict(os.environ, {"CUDA_VISIBLE_DEVICES": ""})
    with Progress(console=console) as bar, only_cores:
        task = bar.add_task("ladders", total=pairs)
        timed = interleaved(
            lambda: run_in_engine(trials),
            lambda: run_in_one_process(trials),
            pairs,
            lambda: bar.advance(task),
            warm=False,
        )
    table = Table("pairs", "ratio", "quartiles", "engine img/s", "one process img/s", box=box.SIMPLE_HEAD)
    table.add_row(str(pairs), *timed.ratio(), *(f"{speed:,.0f}" for speed in timed.speeds(images)))
    console.print(table)
