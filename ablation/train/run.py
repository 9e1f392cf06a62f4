"""One trial, from its seed to its outcome. One loop for one process or many, through Hugging Face Accelerate.

On a CPU a trial is deterministic: the same trial with the same number of threads ends in the same weights, bit for
bit, in one go or in many. What is drawn at random in a step depends on the trial's seed and the step alone.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import timm
import torch
from torch import nn

from .. import data as datasets
from ..data.about import Data
from ..design.architecture import Architecture
from ..design.recipe import Recipe, make_plan
from ..design.trial import Outcome, Trial
from ..environment import describe_environment
from ..errors import AblationError
from ..files import writable_folder
from ..network import build, save_weights
from .checkpoint import Checkpoints
from .evaluation import evaluate, make_accelerator
from .loop import Report, Training, seed_all
from .stop import StopSignal


def run(
    trial: Trial,
    directory: str | Path,
    progress: Report | None = None,
    precision: str = "no",
    accumulate: int = 1,
    *,
    checkpoint_seconds: float = 30.0,
    compiled: bool = False,
) -> Outcome:
    """Train one network as its trial says, evaluate it once on the test images, keep its weights.

    Everything that can be wrong with the trial is found before the first step. The caller's random states are left as they were.
    A trial that was stopped, however hard, goes on from its newest whole checkpoint, and on a CPU ends in the same weights and
    outcome, bit for bit, as one that was not.

    Args:
        trial: what to train, how, on what, from which seed.
        directory: where `weights/KEY.safetensors` is written and, until the trial ends, `checkpoints/KEY/`.
        progress: called after each epoch with (epochs done, epochs in all, mean training loss).
        precision: "no" for float32, "bf16" for mixed precision.
        accumulate: parts in which each process takes its share of a batch, so that large batches fit in memory.
        checkpoint_seconds: between two checkpoints; 0 for one after each step.
        compiled: train through `torch.compile`.

    Returns:
        An `Outcome`; status "diverged" if the loss stopped being finite.

    Raises:
        AblationError: if the data set does not exist or does not fit the recipe, the images are too small for the network,
            the batch does not divide into processes and parts, or the folder cannot be written.
        KeyboardInterrupt: on SIGINT or SIGTERM in the main thread, once the step under way has ended and a checkpoint is written.

    Warns:
        CheckpointWarning: for a damaged checkpoint; the one before is used, or the trial starts over.
    """
    if precision not in ("no", "bf16"):
        raise AblationError(f"precision {precision!r} is not possible. Possible: no, bf16")
    if not checkpoint_seconds >= 0:
        raise AblationError(f"checkpoint_seconds {checkpoint_seconds!r} must be 0 or more")
    folder = writable_folder(directory)
    data, recipe = datasets.load(trial.data), trial.recipe
    size = data.info.size or recipe.size
    if isinstance(trial.architecture, Architecture):
        trial.architecture.sizes(size)
    steps = data.steps_per_epoch(recipe)
    accelerator = make_accelerator(precision)
    make_plan(recipe, steps, accelerator.num_processes, accumulate)  # an error if the batch does not divide
    key = trial.key(data.checksum)
    checkpoints = Checkpoints(folder / "checkpoints" / key)
    with seeded(trial.seed), StopSignal() as stop:
        bare = make_network(trial, data, accelerator.device)
        training = Training(bare, trial, data, steps, accelerator, accumulate, compiled)
        done = training.run_to_end(checkpoints, checkpoint_seconds, stop, progress)
        finite = all(map(math.isfinite, done.losses))
        outcome = Outcome(
            status="done" if finite else "diverged",
            accuracy=None,
            test_loss=None,
            train_losses=done.losses,
            test_images=0,
            params=sum(parameter.numel() for parameter in bare.parameters()),
            seconds=done.seconds,
            images_per_second=len(done.losses) * steps * recipe.batch_size / done.seconds,
            environment=describe_environment(accelerator.device.type),
            not_learning=done.not_learning,
            reason="" if finite else _why_diverged(recipe, len(done.losses)),
        )
        if finite:
            started = time.perf_counter()
            final = training.ema.module if training.ema else bare
            accuracy, test_loss, images = evaluate(final, data, recipe, accelerator)
            if accelerator.is_main_process:
                look = {"mean": data.mean, "std": data.std, "input_size": (data.info.in_chans, size, size)}
                vars(final)["pretrained_cfg"] = {**vars(final).get("pretrained_cfg", {}), **look}
                save_weights(final, weights_file(folder, key))
            seconds = done.seconds + time.perf_counter() - started
            outcome = replace(outcome, accuracy=accuracy, test_loss=test_loss, test_images=images, seconds=seconds)
        if accelerator.is_main_process:
            checkpoints.clear()
        return outcome


def weights_file(directory: str | Path, key: str) -> Path:
    """Return where `run` writes the trained weights of the trial with that key."""
    return Path(directory) / "weights" / f"{key}.safetensors"


def _why_diverged(recipe: Recipe, epoch: int) -> str:
    return (
        f"the loss stopped being finite in epoch {epoch} at a learning rate of up to {recipe.effective_lr:g}: try a "
        "smaller one, a longer warm-up, or clip_grad"
    )


def make_network(trial: Trial, data: Data, device: torch.device) -> nn.Module:
    """The network of a trial with new weights, ready for the data.

    Raises:
        AblationError: if timm cannot make it.
    """
    about, rate = data.info, trial.recipe.drop_path
    if isinstance(trial.architecture, Architecture):
        network: nn.Module = build(trial.architecture, about.num_classes, about.in_chans, rate)
    else:
        name = trial.architecture.removeprefix("timm:")
        try:
            network = timm.create_model(
                name, num_classes=about.num_classes, in_chans=about.in_chans, drop_path_rate=rate
            )
        except Exception as error:  # timm's models fail in many ways
            raise AblationError(f"timm could not make {name!r}: {(str(error).splitlines() or [''])[0]}") from error
    return network.to(device).to(memory_format=torch.channels_last)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed every source of randomness, and put each back as it was at the end."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        seed_all(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
