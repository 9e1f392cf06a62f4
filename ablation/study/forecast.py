"""How long a study will take on this machine, from one training step of each of its networks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence

import torch

from .. import data as datasets
from ..design.trial import Trial
from ..environment import cores
from ..errors import AblationError
from ..train.loop import seed_all
from ..train.optimization import make_loss, make_mixup, make_optimizer
from ..train.run import make_network

LONG_SECONDS = 600.0  # what is shorter need not be forecast
_MOST_NETWORKS = 40  # of a large study; the others are taken to be as quick on average
_MOST_IMAGES = 64  # in a timed step; those of a larger batch are taken to be as quick


def forecast(
    trials: Sequence[Trial], workers: int | None = None, tick: Callable[[int, int], None] | None = None
) -> float | None:
    """Seconds that trials will take with so many workers of one thread each, or one a GPU.

    A forecast: other work, and workers that share a memory, make it longer by a tenth to a half.

    Args:
        trials: what is to be trained.
        workers: trials at a time; by default as many as the local engine runs.
        tick: called with (networks timed, networks to time).

    Returns:
        The seconds, or None where one step shows that they will be few.
    """
    kinds: dict[tuple[object, ...], list[Trial]] = {}
    for trial in trials:
        kinds.setdefault((trial.architecture, trial.recipe, trial.data), []).append(trial)
    if not kinds:
        return None
    each = list(kinds.values())
    at_a_time = min(workers or torch.cuda.device_count() or cores(), len(trials))
    chosen = list(itertools.islice(each, 0, None, -(-len(each) // _MOST_NETWORKS)))
    spent, timed = 0.0, 0
    for i, same in enumerate(chosen):
        try:
            seconds = _seconds(same[0])
        except AblationError:  # it cannot be run, which the engine will say
            continue
        if timed == 0 and seconds * len(trials) / at_a_time < LONG_SECONDS:
            return None
        spent += seconds * len(same)
        timed += len(same)
        if tick:
            tick(i + 1, len(chosen))
    return spent * len(trials) / timed / at_a_time if timed else None


def _seconds(trial: Trial) -> float:
    """Of one trial, by one of its training steps; the caller's random state and threads are left as they were."""
    data, recipe = datasets.load(trial.data), trial.recipe
    about, size = data.info, data.info.size or recipe.size
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    n = min(recipe.batch_size, _MOST_IMAGES)
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
            taken = []
            for _ in range(3):  # the first has more to do than those after it
                began = time.perf_counter()
                loss(network(images), labels).backward()
                optimizer.step()
                optimizer.zero_grad()
                if device.type == "cuda":
                    torch.cuda.synchronize()
                taken.append(time.perf_counter() - began)
        finally:
            torch.set_num_threads(threads)
    return min(taken) * recipe.batch_size / len(images) * data.steps_per_epoch(recipe) * recipe.epochs
