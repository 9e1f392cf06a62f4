"""Benchmark of small trainings on a GPU: the ladder on images of CIFAR-10's size, several trials at a time.

The images are random: speed does not depend on what they show. Each process takes one row of the ladder after the other, as
the workers of a study do, and trains it for a part of an epoch, with everything but the last evaluation. The forecast of
a whole study follows from these times, with the start of each trial.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty
from typing import Any

import torch

from ablation.data.about import DatasetInfo
from ablation.data.in_memory import InMemory
from ablation.design.recipes import family
from ablation.design.trial import Trial
from ablation.study.ladder import ladder_rungs, rung_trial
from ablation.train.evaluation import make_accelerator
from ablation.train.loop import Training
from ablation.train.run import make_network, seeded
from ablation.train.stop import StopSignal
from ablation.train.tuning import fast_training, settle_layout

FAMILY, IMAGES, SIDE, SEEDS = "small32", 50_000, 32, 3
AT_A_TIME = (1, 2, 4, 8)  # trials on one GPU
EAGER_STEPS = 60


@dataclass(frozen=True)
class Timed:
    """Speed of one row of the ladder.

    Args:
        row: its name.
        start_seconds: until the first steps are taken, and captured.
        images_per_second: from then on.
        kind: how the steps are taken.
        losses: of the first steps.
    """

    row: str
    start_seconds: float
    images_per_second: float
    kind: str
    losses: tuple[float, ...]


def random_images(number: int) -> InMemory:
    """Return that many random images of CIFAR-10's size in ten classes."""
    pixels = torch.randint(
        0, 256, (number, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    info = DatasetInfo("random", SIDE, 10, 3)
    labels = torch.arange(number) % 10
    return InMemory(info, "", pixels, labels, pixels[:1000], labels[:1000], (0.5,) * 3, (0.25,) * 3)


def rows(batch_size: int | None = None) -> dict[str, Trial]:
    """Return a trial of each row of the ladder by its name, with another batch size if one is given."""
    pair = family(FAMILY)
    trials = {rung.name: rung_trial(rung, pair, "random", 0) for rung in ladder_rungs(FAMILY)}
    if batch_size is None:
        return trials
    return {name: replace(trial, recipe=trial.recipe.replace(batch_size=batch_size)) for name, trial in trials.items()}


def time_row(name: str, trial: Trial, data: InMemory, precision: str, on_device: bool) -> Timed:
    """Train one row for an epoch, or for `EAGER_STEPS` steps of the reference, and return its speed."""
    started = time.perf_counter()
    with seeded(trial.seed):
        accelerator = make_accelerator(precision)
        network = make_network(trial, data, accelerator.device).train()
        steps = data.steps_per_epoch(trial.recipe)
        layout = settle_layout(None, network, trial, data, accelerator, 1)
        with fast_training(layout, accelerator.device) as memory_format:
            training = Training(
                *(network, trial, data, steps, accelerator, 1, False), on_device=on_device, memory_format=memory_format
            )
            readings = training.taken.losses(0, 0, StopSignal())
            losses = list(next(readings))  # warm-up and capture
            first = time.perf_counter()
            taken = 0
            for values in readings:
                taken += len(values)
                losses += values
                if not on_device and taken >= EAGER_STEPS:
                    break
            seconds = time.perf_counter() - first
    kind = training.taken.kind
    return Timed(name, first - started, taken * trial.recipe.batch_size / seconds, kind, tuple(losses[:20]))


def time_rows(
    trials: Mapping[str, Trial], images: int, precision: str, at_a_time: int, on_device: bool = True
) -> Iterator[Timed]:
    """Time rows of the ladder in that many processes at a time, and yield each as soon as it is known."""
    context = multiprocessing.get_context("spawn")
    waiting: Any = context.Queue()
    results: Any = context.Queue()
    for item in trials.items():
        waiting.put(item)
    arguments = (waiting, results, images, precision, on_device)
    processes = [context.Process(target=_work, args=arguments, daemon=True) for _ in range(at_a_time)]
    for process in processes:
        process.start()
    try:
        for _ in trials:
            yield _next(results, processes)
    finally:
        for process in processes:
            process.kill()
            process.join()


def _next(results: Any, processes: Sequence[Any]) -> Timed:
    while True:
        try:
            result: Timed | str = results.get(timeout=1)
        except Empty:
            if not any(process.is_alive() for process in processes):
                raise RuntimeError("all processes of the benchmark ended early") from None
            continue
        if isinstance(result, str):
            raise RuntimeError(result)
        return result


def _work(waiting: Any, results: Any, images: int, precision: str, on_device: bool) -> None:
    torch.set_num_threads(1)
    data = random_images(images)
    while True:
        try:
            name, trial = waiting.get(timeout=2)
        except Empty:
            return
        try:
            results.put(time_row(name, trial, data, precision, on_device))
        except Exception as error:
            results.put(f"{name}: {type(error).__name__}: {error}")


def forecast_minutes(timed: Sequence[Timed], trials: Mapping[str, Trial], images: int, at_a_time: int) -> float:
    """Return the minutes of all trials with `SEEDS` seeds, from one timing of each at that many at a time."""
    seconds = 0.0
    for row in timed:
        seconds += row.start_seconds + trials[row.row].recipe.epochs * images / row.images_per_second
    return seconds * SEEDS / at_a_time / 60
