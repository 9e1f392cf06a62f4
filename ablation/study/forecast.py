"""Estimate the duration of a study on this machine from one training step of each of its networks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

import torch

from .. import data as datasets
from ..design.trial import Trial
from ..environment import cores
from ..errors import AblationError
from ..train.optimization import make_loss, make_mixup, make_optimizer
from ..train.run import make_network
from ..train.seeds import seed_all

LONG_SECONDS = 600.0  # no forecast is made for shorter studies
_MAX_NETWORKS = 40  # networks timed in a large study; the others are assumed to be as fast on average
_MAX_IMAGES = 64  # images in a timed step; a larger batch is assumed to take the same time per image


def forecast(
    trials: Sequence[Trial], workers: int | None = None, tick: Callable[[int, int], None] | None = None
) -> float | None:
    """Estimate the seconds that trials will take, with one thread per worker, or one worker per GPU.

    Other work on the machine, and workers that share memory bandwidth, make the study take 10 to 50 % longer.

    Args:
        trials: the trials to run.
        workers: trials at a time; by default as many as the local engine runs.
        tick: called with (networks timed, networks to time).

    Returns:
        Seconds, or None if the first timed step shows that the study is short.
    """
    networks: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        networks.setdefault((trial.architecture, trial.recipe, trial.data), []).append(trial)
    if not networks:
        return None
    groups = list(networks.values())  # trials that differ only in the seed
    at_a_time = min(workers or torch.cuda.device_count() or cores(), len(trials))
    chosen = list(itertools.islice(groups, 0, None, -(-len(groups) // _MAX_NETWORKS)))
    total, timed = 0.0, 0
    for i, group in enumerate(chosen):
        try:
            seconds = _trial_seconds(group[0])
        except AblationError:  # an invalid trial, which the engine reports
            continue
        if timed == 0 and seconds * len(trials) / at_a_time < LONG_SECONDS:
            return None
        total += seconds * len(group)
        timed += len(group)
        if tick:
            tick(i + 1, len(chosen))
    return total * len(trials) / timed / at_a_time if timed else None


def _trial_seconds(trial: Trial) -> float:
    """Estimate the seconds of a trial from one training step; random state and thread count are preserved."""
    data, recipe = datasets.load(trial.data), trial.recipe
    about, size = data.info, data.info.size or recipe.size
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    n = min(recipe.batch_size, _MAX_IMAGES)
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        seed_all(0)
        torch.set_num_threads(1)
        try:
            network = make_network(trial, data, device).train()
            optimizer, loss = make_optimizer(recipe, network), make_loss(recipe)
            mixup = make_mixup(recipe, about.num_classes)
            images = torch.randn(n - n % 2 or 2, about.in_chans, size, size, device=device)
            labels = torch.arange(len(images), device=device) % about.num_classes
            if mixup:
                images, labels = mixup(images, labels)
            images = images.contiguous(memory_format=torch.channels_last)
            durations = []
            for _ in range(3):  # the first step is slower because of one-time setup
                began = time.perf_counter()
                loss(network(images), labels).backward()
                optimizer.step()
                optimizer.zero_grad()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                durations.append(time.perf_counter() - began)
        finally:
            torch.set_num_threads(threads)
    return min(durations) * recipe.batch_size / len(images) * data.steps_per_epoch(recipe) * recipe.epochs
