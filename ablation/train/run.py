"""Run one trial and return its outcome. The same loop serves one or more processes, through Hugging Face Accelerate.

Training is deterministic on a CPU: with the same number of threads, the same trial gives bit-identical weights, whether or
not it was interrupted. The random draws of a step depend only on the trial's seed and the step.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from .. import data as datasets
from ..data.about import Data
from ..design.architecture import Architecture
from ..design.recipe import Recipe, make_plan
from ..design.trial import Outcome, Trial
from ..environment import MAX_LOADER_WORKERS, describe_environment
from ..errors import AblationError, check_number
from ..files import writable_folder
from ..network import build, save_weights
from ..network.starting_weights import StartingWeights
from ..network.timm_creation import check_takes, create_timm
from ..network.weights import has_finite_parameters
from ..network.weights_header import CROP_FIELDS
from .checkpoint import Checkpoints, Progress
from .compiling import explain_compiler
from .devices import choose, stored_precision
from .evaluation import evaluate, make_accelerator
from .initial import check_start, load_initial
from .loop import Moment, Report, Training
from .seeds import seed_all
from .stop import StopSignal
from .tracking import Tracking, check_tracker, logged
from .trial_files import checkpoint_folder, read_outcome, trial_lock, weights_file, write_outcome
from .tuning import fast_training, settle_layout

__all__ = ["make_network", "make_settings", "run", "seeded", "weights_file"]


def run(
    trial: Trial,
    directory: str | Path,
    progress: Callable[[int, int, float], None] | None = None,
    precision: str = "auto",
    accumulate: int = 1,
    *,
    device: str = "auto",
    checkpoint_seconds: float = 30.0,
    compiled: bool = False,
    keep: bool = False,
    wait_seconds: float = 10.0,
    loader_workers: int | None = None,
    init_from: str | Path | StartingWeights | None = None,
    log_with: str = "",
    validate_every: int = 0,
    on_progress: Report | None = None,
) -> Outcome:
    """Train the network of a trial, evaluate it once on the test images, and save its weights.

    Training is in the given precision; a GPU that has TF32 computes products of float32 numbers in it. Evaluation is always in
    float32, without TF32. Errors in the trial are found before the first step. The caller's random states are not changed. A
    trial that was interrupted, even by SIGKILL, resumes from its newest undamaged checkpoint; on a CPU its weights and outcome
    are bit-identical to those of an uninterrupted trial.

    Args:
        trial: architecture, recipe, data set and seed.
        directory: where `weights/KEY.safetensors` is written and, until the trial ends, `checkpoints/KEY/`.
        progress: called after each epoch with (completed epochs, total epochs, mean training loss).
        precision: "fp32", or "bf16" or "fp16" for mixed precision; by default, what the device is fast in: bf16 on a GPU of
            compute capability 8 or more, fp16 on one of 7, fp32 on others, on MPS and on a CPU.
        accumulate: number of parts into which each process splits its share of a batch, so that large batches fit in memory.
        device: "cpu", "cuda" or "mps"; by default, a GPU if there is one.
        checkpoint_seconds: least time between two checkpoints, which are written at the ends of epochs and, if writing them
            takes less than a hundredth of the time, in between; 0 for a checkpoint after each step.
        compiled: train the network compiled by `torch.compile`.
        keep: keep `checkpoints/KEY/` and write the outcome into it, from which the same call returns it, until the caller has
            stored the outcome and calls `clear_checkpoints`.
        wait_seconds: how long to wait for another process that trains the same trial in this directory.
        loader_workers: processes that read image files for each training process; None for as many as cores and memory allow.
        init_from: weights file to start from, or what `read_start` returned for it. Its digest is the trial's `init`.
        log_with: "tensorboard", "wandb", "mlflow" or "csv" to log each epoch, or "". The files of tensorboard and csv are in
            `logs/`.
        validate_every: number of epochs after which the network is evaluated on the test images, besides the end; 0 for never.
            The accuracies are kept in the outcome's environment. Nothing is chosen by them.
        on_progress: called with a `Moment` whenever losses are known: on a CPU after each step, else a few times an epoch.

    Returns:
        An `Outcome`, with status "diverged" if the loss became non-finite.

    Raises:
        AblationError: if this machine does not have the device, the device cannot train in the precision, the data set does not
            exist or does not fit the recipe, the images are too small for the network, the weights to start from are not those of
            the trial or do not fit, the network cannot be compiled, the tracker's package is missing, the batch does not divide
            evenly into processes and parts, the folder is not writable, another process trains the trial in it, or its
            checkpoints were written with another precision, device, accumulation or number of processes.
        KeyboardInterrupt: on SIGINT, SIGTERM, SIGHUP or SIGUSR1 in the main thread, once the current step has ended and a
            checkpoint is written.

    Warns:
        CheckpointWarning: for a damaged checkpoint; the previous one is used, or the trial starts over.
    """
    choice = choose(device, precision)
    if not checkpoint_seconds >= 0:
        raise AblationError(f"checkpoint_seconds {checkpoint_seconds!r} must be 0 or more")
    check_number("accumulate", accumulate, 1, whole=True)
    if loader_workers is not None:
        check_number("loader_workers", loader_workers, 1, MAX_LOADER_WORKERS, whole=True)
    check_tracker(log_with)
    start = check_start(trial, init_from)
    check_number("validate_every", validate_every, 0, whole=True, reason=": it is a number of epochs, or 0 for never")
    folder = writable_folder(directory)
    data, recipe = datasets.load(trial.data), trial.recipe
    if isinstance(trial.architecture, Architecture):
        trial.architecture.sizes(data.info.size or recipe.size)
    steps = data.steps_per_epoch(recipe, accumulate)
    accelerator = make_accelerator(choice.precision, choice.device)
    make_plan(recipe, steps, accelerator.num_processes, accumulate)  # raises if the batch does not divide evenly
    key = trial.key(data.checksum)
    settings = make_settings(choice.precision, accelerator.num_processes, accumulate)
    chosen = {"compiled": compiled, "loader_workers": loader_workers, "init": trial.init, "log_with": log_with}
    chosen["validate_every"] = validate_every
    extras = {name: value for name, value in chosen.items() if value}
    checkpoints = Checkpoints(
        checkpoint_folder(folder, key), {**settings, "compiled": compiled, "device": accelerator.device.type}
    )
    is_main = accelerator.is_main_process
    with trial_lock(folder, key, wait_seconds) if is_main else nullcontext(), seeded(trial.seed), StopSignal() as stop:
        accelerator.wait_for_everyone()  # so that all processes find the same checkpoints
        outcome = read_outcome(checkpoints.folder, checkpoints.settings)
        if outcome is None or (outcome.status == "done" and not weights_file(folder, key).is_file()):
            network = make_network(trial, data, accelerator.device)
            if start is not None:
                load_initial(network, trial, data, start)
            layout = settle_layout(checkpoints.recorded("memory_format"), network, trial, data, accelerator, accumulate)
            checkpoints.settings["memory_format"] = layout
            log = None
            if log_with and is_main:
                log = Tracking(log_with, folder, trial, key, {**settings, **extras}, checkpoints.folder)

            def report(moment: Moment) -> None:
                if progress and moment.ends_epoch:
                    progress(moment.epoch, moment.epochs, moment.loss)
                if on_progress:
                    on_progress(moment)

            with fast_training(layout, accelerator.device) as memory_format:
                common = (network, trial, data, steps, accelerator, accumulate, compiled)
                training = Training(*common, workers=loader_workers, memory_format=memory_format)
                with logged(report, log) as logging_report, explain_compiler(compiled):
                    completed = training.run_to_end(
                        checkpoints, checkpoint_seconds, stop, logging_report, validate_every
                    )
            outcome = _score(training, completed, weights_file(folder, key))
            how = {"tf32": choice.tf32, "memory_format": layout, "steps": training.taken.kind}
            validated = {"validated": completed.validated} if completed.validated else {}
            about = describe_environment(accelerator.device.type)
            outcome = replace(outcome, environment={**about, **settings, **how, **extras, **validated})
            if is_main and keep:
                write_outcome(checkpoints.folder, outcome, checkpoints.settings)
        if is_main and not keep:
            checkpoints.clear()
        return outcome


def make_settings(precision: str, processes: int, accumulate: int) -> dict[str, Any]:
    """Return the settings of a trial that its key does not contain; they are part of the environment of its outcome."""
    return {"precision": stored_precision(precision), "processes": processes, "accumulate": accumulate}


def _score(training: Training, completed: Progress, weights: Path) -> Outcome:
    """Evaluate a trained network on the test images, save its weights, and return the outcome without its environment."""
    data, recipe, accelerator = training.data, training.recipe, training.accelerator
    final = training.final_network()
    # The last step can break weights without any loss that shows it.
    finite = all(map(math.isfinite, completed.losses)) and has_finite_parameters(final)
    outcome = Outcome(
        status="done" if finite else "diverged",
        accuracy=None,
        test_loss=None,
        train_losses=completed.losses,
        test_images=0,
        params=sum(parameter.numel() for parameter in training.network.parameters()),
        seconds=completed.seconds,
        images_per_second=len(completed.losses) * training.steps * recipe.batch_size / completed.seconds,
        environment={},
        not_learning=completed.not_learning,
        reason="" if finite else _divergence_message(recipe, len(completed.losses)),
    )
    if not finite:
        return outcome
    started = time.perf_counter()
    accuracy, test_loss, images = evaluate(final, data, recipe, accelerator, workers=training.workers)
    if accelerator.is_main_process:
        size = data.info.size or recipe.size
        cfg = {**vars(final).get("pretrained_cfg", {}), "mean": data.mean, "std": data.std}
        cfg |= {"input_size": (data.info.in_chans, size, size), "label_names": data.classes}
        # The recipe decides how these images are cropped, not the configuration of a timm model.
        vars(final)["pretrained_cfg"] = {key: value for key, value in cfg.items() if key not in CROP_FIELDS}
        save_weights(final, weights)
    seconds = completed.seconds + time.perf_counter() - started
    return replace(outcome, accuracy=accuracy, test_loss=test_loss, test_images=images, seconds=seconds)


def _divergence_message(recipe: Recipe, epoch: int) -> str:
    return (
        f"the loss became non-finite in epoch {epoch}, at a learning rate of up to {recipe.effective_lr:g}: try a "
        "smaller learning rate, a longer warm-up, or clip_grad"
    )


def make_network(trial: Trial, data: Data, device: torch.device) -> nn.Module:
    """Return the network of a trial on the device, with newly initialised weights and the classes and channels of the data.

    Raises:
        AblationError: if timm cannot create the model, or it does not take images of this size.
    """
    info, drop_path, gain = data.info, trial.recipe.drop_path, trial.recipe.init_gain
    if isinstance(trial.architecture, Architecture):
        network: nn.Module = build(trial.architecture, info.num_classes, info.in_chans, drop_path, gain)
    elif gain != 1:
        raise AblationError(f"init_gain {gain:g} is for this library's networks: timm initialises {trial.architecture}")
    else:
        name, size = trial.architecture.removeprefix("timm:"), info.size or trial.recipe.size
        network = create_timm(
            name, drop_path=drop_path, size=size, num_classes=info.num_classes, in_chans=info.in_chans
        )
        check_takes(network, name, info.in_chans, size)
    return network.to(device).to(memory_format=torch.channels_last)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed every random generator inside this context, and restore the previous states at the end."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    gpus = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(gpus or None):  # torch warns of several GPUs that are not named
        seed_all(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
