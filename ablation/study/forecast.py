"""Estimate the duration of a study on this machine from one training step of each of its networks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from .. import data as datasets
from ..design.trial import Trial
from ..errors import AblationError
from ..train.device_steps import PRECISIONS as DTYPES
from ..train.devices import choose
from ..train.optimization import make_loss, make_mixup, make_optimizer
from ..train.run import make_network, seeded
from ..train.tuning import DEFAULT, fast_training
from .engines.sharing import place
from .engines.worker import release_gpu_memory
from .shared_speed import slowdown

LONG_SECONDS = 600.0  # no forecast is made for shorter studies
_MAX_NETWORKS = 40  # networks timed in a large study; the others are assumed to be as fast on average
_MAX_IMAGES = 64  # images in a timed step; a larger batch is assumed to take the same time per image


def forecast(
    trials: Sequence[Trial],
    workers: int | None = None,
    tick: Callable[[int, int], None] | None = None,
    run_options: Mapping[str, Any] | None = None,
) -> float | None:
    """Estimate the seconds that trials will take where the local engine runs them.

    For trials that share a GPU, one network is also timed in as many processes at the same time. Other work on the machine, and
    workers that share memory bandwidth, make the study take 10 to 50 % longer.

    Args:
        trials: the trials to run.
        workers: trials at a time; by default as many as the local engine runs.
        tick: called with (networks timed, networks to time).
        run_options: options of `run`, of which device and precision are used.

    Returns:
        Seconds, or None if the first timed step shows that the study is short.
    """
    networks: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        networks.setdefault((trial.architecture, trial.recipe, trial.data), []).append(trial)
    if not networks:
        return None
    groups = list(networks.values())  # trials that differ only in the seed
    options = dict(run_options or {})
    places = place(trials, workers, options)
    chosen = list(itertools.islice(groups, 0, None, -(-len(groups) // _MAX_NETWORKS)))
    total, timed, slower = 0.0, 0, 1.0
    for i, group in enumerate(chosen):
        try:
            seconds = _trial_seconds(group[0], options)
        except AblationError:  # an invalid trial, which the engine reports
            continue
        if timed == 0:
            if seconds * len(trials) / places.at_a_time < LONG_SECONDS:
                return None
            if places.gpus and places.per_device > 1:
                slower = slowdown(timed_step, (group[0], options), places.per_device, places.gpus[0], places.threads)
        total += seconds * len(group)
        timed += len(group)
        if tick:
            tick(i + 1, len(chosen))
    return total * slower * len(trials) / timed / places.at_a_time if timed else None


def _trial_seconds(trial: Trial, run_options: Mapping[str, Any]) -> float:
    """Estimate the seconds of a trial from one training step; random state and thread count are preserved."""
    data, recipe = datasets.load(trial.data), trial.recipe
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        with timed_step(trial, run_options) as step:
            seconds = min(step() for _ in range(3))  # the first step is slower because of one-time setup
    finally:
        torch.set_num_threads(threads)
        release_gpu_memory()  # for the workers
    return seconds * data.steps_per_epoch(recipe) * recipe.epochs


@contextmanager
def timed_step(trial: Trial, run_options: Mapping[str, Any]) -> Iterator[Callable[[], float]]:
    """Prepare a training step of a trial on invented images; the random state is preserved.

    Yields:
        A function that takes a step and returns its seconds, in proportion to the batch of the recipe.
    """
    data, recipe = datasets.load(trial.data), trial.recipe
    about, size = data.info, data.info.size or recipe.size
    choice = choose(run_options.get("device", "auto"), run_options.get("precision", "auto"))
    device, number = torch.device(choice.device), DTYPES[choice.precision]
    n = min(recipe.batch_size, _MAX_IMAGES)
    with seeded(0), fast_training(DEFAULT, device) as memory_format:
        network = make_network(trial, data, device).train()
        optimizer, loss = make_optimizer(recipe, network), make_loss(recipe)
        mixup = make_mixup(recipe, about.num_classes)
        images = torch.randn(n - n % 2 or 2, about.in_chans, size, size, device=device)
        labels = torch.arange(len(images), device=device) % about.num_classes
        if mixup:
            images, labels = mixup(images, labels)
        images = images.contiguous(memory_format=memory_format)

        def step() -> float:
            began = time.perf_counter()
            with torch.autocast(device.type, number, enabled=number is not None):
                outputs = network(images)
            loss(outputs.float(), labels).backward()
            optimizer.step()
            optimizer.zero_grad()
            if device.type != "cpu":
                torch.accelerator.synchronize()
            return (time.perf_counter() - began) * recipe.batch_size / len(images)

        yield step
