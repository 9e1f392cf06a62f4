"""One trial, from its seed to its outcome. One loop for one process or many, through Hugging Face Accelerate.

On a CPU a trial is deterministic: the same trial with the same number of threads ends in the same weights, bit for
bit.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import timm
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from timm.data import Mixup
from timm.loss import LabelSmoothingCrossEntropy, SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from timm.utils import ModelEmaV3
from torch import Tensor, nn
from torch.nn import functional as F

from ..design.architecture import Architecture
from ..errors import AblationError
from ..files import writable_folder
from ..network import build, save_weights
from ..network.build import ConvNet
from . import data as datasets
from .about import Data
from .environment import describe_environment
from .recipe import Recipe
from .trial import Outcome, Trial

Progress = Callable[[int, int, float], None]


def run(
    trial: Trial,
    directory: str | Path,
    progress: Progress | None = None,
    precision: str = "no",
    accumulate: int = 1,
) -> Outcome:
    """Train one network as its trial says, evaluate it once on the test images, keep its weights.

    Everything that can be wrong with the trial is found before the first step. The caller's random states are left as they were.

    Args:
        trial: what to train, how, on what, from which seed.
        directory: gets `KEY.safetensors`, the trained weights; nothing is written for a model of timm.
        progress: called after each epoch with (epochs done, epochs in all, mean training loss).
        precision: "no" for float32, "bf16" for mixed precision.
        accumulate: parts in which each process takes its share of a batch, so that large batches fit in memory.

    Returns:
        An `Outcome`; status "diverged" if the loss stopped being finite.

    Raises:
        AblationError: if the data set does not exist or does not fit the recipe, the images are too small for the network,
            or the folder cannot be written.
    """
    if precision not in ("no", "bf16"):
        raise AblationError(f"precision {precision!r} is not possible. Possible: no, bf16")
    folder = writable_folder(directory)
    data, recipe = datasets.load(trial.data), trial.recipe
    size = data.about.size or recipe.size
    if isinstance(trial.architecture, Architecture):
        trial.architecture.sizes(size)
    steps = data.steps_per_epoch(recipe)
    accelerator = _accelerator(precision)
    rank, world = accelerator.process_index, accelerator.num_processes
    if recipe.batch_size % (world * accumulate):
        raise AblationError(
            f"batch_size {recipe.batch_size} of recipe {recipe.name!r} does not divide into {world} processes "
            f"times {accumulate} accumulated parts"
        )
    with _seeded(trial.seed):
        started = time.perf_counter()
        bare = _network(trial, data, accelerator.device)
        _seed(trial.seed + 1_000_003 * rank)
        training = _Training(bare, recipe, data.about.num_classes, steps, accelerator, accumulate)
        losses: list[float] = []
        for epoch in range(recipe.epochs):
            losses.append(training.epoch(epoch, data.train_batches(recipe, trial.seed, epoch, rank, world)))
            if progress:
                progress(epoch + 1, recipe.epochs, losses[-1])
            if not math.isfinite(losses[-1]):
                break
        trained = time.perf_counter() - started
        outcome = Outcome(
            status="diverged",
            accuracy=None,
            test_loss=None,
            train_losses=tuple(losses),
            test_images=0,
            params=sum(parameter.numel() for parameter in bare.parameters()),
            seconds=trained,
            images_per_second=len(losses) * steps * recipe.batch_size / trained,
            environment=describe_environment(accelerator.device.type),
        )
        if not math.isfinite(losses[-1]):
            return outcome
        final = training.ema.module if training.ema else bare
        accuracy, test_loss, images = evaluate(final, data, recipe, accelerator)
        if isinstance(final, ConvNet) and accelerator.is_main_process:
            final.pretrained_cfg = {
                "mean": data.mean,
                "std": data.std,
                "input_size": (data.about.in_chans, size, size),
            }
            save_weights(final, folder / f"{trial.key(data.checksum)}.safetensors")
        return replace(
            outcome,
            status="done",
            accuracy=accuracy,
            test_loss=test_loss,
            test_images=images,
            seconds=time.perf_counter() - started,
        )


def evaluate(
    network: nn.Module, data: Data, recipe: Recipe, accelerator: Accelerator | None = None
) -> tuple[float, float, int]:
    """Evaluate a network on the test images, each once.

    Returns:
        Top-1 accuracy in percent, mean cross entropy, and the number of images.
    """
    accelerator = accelerator or _accelerator("no")
    network.to(accelerator.device).eval()
    totals = torch.zeros(3, dtype=torch.float64, device=accelerator.device)  # right, summed loss, images
    with torch.inference_mode():
        for images, labels in data.test_batches(recipe, accelerator.process_index, accelerator.num_processes):
            images, labels = images.to(accelerator.device), labels.to(accelerator.device)
            logits = network(images.contiguous(memory_format=torch.channels_last)).float()
            right = (logits.argmax(1) == labels).sum()
            loss = F.cross_entropy(logits, labels, reduction="sum")
            totals += torch.stack([right.double(), loss.double(), totals.new_tensor(len(labels))])
    right, loss, images = accelerator.reduce(totals, "sum").tolist()
    return 100 * right / images, loss / images, int(images)


def _accelerator(precision: str) -> Accelerator:
    AcceleratorState._reset_state()  # another trial in this process may have had another precision
    only_cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    return Accelerator(cpu=only_cpu, mixed_precision=precision)  # without cpu=True, torchrun on CPUs forms no group


class _Training:
    """Network, optimizer, schedule, loss and average of one trial."""

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        num_classes: int,
        steps: int,
        accelerator: Accelerator,
        accumulate: int,
    ) -> None:
        self.recipe, self.steps, self.accelerator, self.accumulate = recipe, steps, accelerator, accumulate
        optimizer = make_optimizer(recipe, network)
        self.schedule = make_schedule(recipe, optimizer, steps)
        self.mixup = make_mixup(recipe, num_classes)
        self.loss = make_loss(recipe)
        self.ema = ModelEmaV3(network, decay=recipe.ema) if recipe.ema else None
        self.bare = network
        self.network, self.optimizer = accelerator.prepare(network, optimizer)
        self.schedule.step_update(0)

    def epoch(self, epoch: int, batches: Iterator[tuple[Tensor, Tensor]]) -> float:
        """One pass over the training images; the mean of the loss, or the first that is not finite."""
        self.network.train()
        device, total = self.accelerator.device, 0.0
        for step, (images, labels) in enumerate(batches):
            images, labels = images.to(device), labels.to(device)
            if self.mixup:
                images, labels = self.mixup(images, labels)
            images = images.contiguous(memory_format=torch.channels_last)
            loss = self._step(images, labels)
            self.schedule.step_update(epoch * self.steps + step + 1)
            if not math.isfinite(loss):
                return loss
            total += loss
        return total / self.steps

    def _step(self, images: Tensor, labels: Tensor) -> float:
        parts = list(zip(images.chunk(self.accumulate), labels.chunk(self.accumulate), strict=True))
        total = torch.zeros((), device=images.device)
        for i, (some_images, some_labels) in enumerate(parts, start=1):
            waits = self.accelerator.no_sync if i < len(parts) else _at_once
            with waits(self.network), self.accelerator.autocast():
                loss = self.loss(self.network(some_images).float(), some_labels) / len(parts)
                self.accelerator.backward(loss)
            total += loss.detach()
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.ema:
            self.ema.update(self.bare)
        return self.accelerator.reduce(total, "mean").item()


@contextmanager
def _at_once(network: nn.Module) -> Iterator[None]:
    yield


def make_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimizer, from timm."""
    specific = {"momentum": recipe.momentum} if recipe.optimizer == "sgd" else {"betas": recipe.betas}
    return create_optimizer_v2(
        network,
        opt="momentum"
        if recipe.optimizer == "sgd"
        else "adamw",  # timm's "sgd" is Nesterov's, "momentum" is the plain one
        lr=recipe.effective_lr,
        weight_decay=recipe.weight_decay,
        filter_bias_and_bn=not recipe.decay_norms,
        fused=True,  # one pass over all weights: a fifth of the time on a CPU, for networks of many small tensors
        **specific,
    )


def make_schedule(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> timm.scheduler.scheduler.Scheduler:
    """The recipe's learning rate over optimizer steps, from timm: a linear rise, then steps or a cosine."""
    schedule, _ = create_scheduler_v2(
        optimizer,
        sched=recipe.schedule,
        num_epochs=recipe.epochs - recipe.warmup_epochs,
        decay_epochs=recipe.decay_epochs,
        decay_rate=recipe.decay_rate,
        min_lr=recipe.min_lr,
        warmup_lr=0.0,
        warmup_epochs=recipe.warmup_epochs,
        warmup_prefix=True,
        step_on_epochs=False,
        updates_per_epoch=steps,
    )
    return schedule


def make_mixup(recipe: Recipe, num_classes: int) -> Mixup | None:
    """Mixup and CutMix as the paper uses them, from timm: one of the two for each batch."""
    if not (recipe.mixup or recipe.cutmix):
        return None
    return Mixup(
        mixup_alpha=recipe.mixup,
        cutmix_alpha=recipe.cutmix,
        label_smoothing=recipe.label_smoothing,
        num_classes=num_classes,
    )


def make_loss(recipe: Recipe) -> nn.Module:
    """Cross entropy with smoothed labels, from timm; after mixup the labels are smooth already."""
    if recipe.mixup or recipe.cutmix:
        return SoftTargetCrossEntropy()
    return LabelSmoothingCrossEntropy(recipe.label_smoothing) if recipe.label_smoothing else nn.CrossEntropyLoss()


def _network(trial: Trial, data: Data, device: torch.device) -> nn.Module:
    about, rate = data.about, trial.recipe.drop_path
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


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed every source of randomness, and put each back as it was at the end."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        _seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
