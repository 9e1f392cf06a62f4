"""The digits ladder through the local engine against one process that runs the same trials one after the other.

Both sides are timed from the start of their first process to the end of their last, in a fresh folder: importing torch, reading
the digits, building, training, testing and keeping the weights all count, and so does the study's store on our side. Only the
images trained on are counted. The ladder is cut short to make a pair affordable, so start-up weighs more than in a whole
study, and more on our side, which starts a process per core.
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
RUNGS = slice(1, None, 2)  # eight, all of one recipe: a number that cores share evenly, as a whole study nearly is


def short_ladder() -> list[Trial]:
    """Every other rung from one seed, trained for a few epochs."""
    trials = list(ladder_trials(FAMILY, DATA, seeds=[0]))[RUNGS]
    return [replace(trial, recipe=trial.recipe.replace(epochs=EPOCHS)) for trial in trials]


def in_the_engine(trials: Sequence[Trial]) -> None:
    """Ours: a study with the local engine, one process per core, one thread each."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Study(trials, folder).run()
        assert [outcomes[trial].status for trial in trials] == ["done"] * len(trials)


def in_one_process(trials: Sequence[Trial]) -> None:
    """Theirs: a process that starts as the engine's do, and has all threads."""
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("spawn").Process(target=_one_after_the_other, args=(trials, Path(folder)))
        process.start()
        try:
            process.join()
        finally:  # also when interrupted
            process.kill()
            process.join()
        assert process.exitcode == 0 and len([*Path(folder).glob("*.safetensors")]) == len(trials)


def _one_after_the_other(trials: Sequence[Trial], folder: Path) -> None:
    from ablation.environment import keep_freed_memory

    keep_freed_memory()  # as the engine's processes do
    import torch

    from ablation import run

    torch.set_num_threads(cores())
    for trial in trials:
        run(trial, folder)


def bench_engine(pairs: int, console: Console) -> None:
    """Training images over wall time from start to end, on both sides."""
    trials = short_ladder()
    loaded = datasets.load(DATA)
    steps = sum(trial.recipe.epochs * loaded.steps_per_epoch(trial.recipe) for trial in trials)
    images = steps * trials[0].recipe.batch_size
    console.print(
        f"The digits ladder, every other rung ({len(trials)}) from one seed for {EPOCHS} epochs: a study with the local engine "
        f"({cores()} processes of one thread) over one process with {cores()} threads that runs the trials one after the other. "
        f"Counted are the {images:,} images trained on, over wall time from start to end, start-up, testing and saving included.",
        highlight=False,
    )
    # With GPUs in sight the engine starts a process for each of them.
    only_cores = patch.dict(os.environ, {"CUDA_VISIBLE_DEVICES": ""})
    with Progress(console=console) as bar, only_cores:
        task = bar.add_task("ladders", total=pairs)
        timed = interleaved(
            lambda: in_the_engine(trials), lambda: in_one_process(trials), pairs, lambda: bar.advance(task), warm=False
        )
    table = Table("pairs", "ratio", "quartiles", "engine img/s", "one process img/s", box=box.SIMPLE_HEAD)
    table.add_row(str(pairs), *timed.ratio(), *(f"{speed:,.0f}" for speed in timed.speeds(images)))
    console.print(table)
