"""One trial, from its seed to its outcome. One loop for one process or many, through Hugging Face Accelerate.

On a CPU a trial is deterministic: the same trial with the same number of threads ends in the same weights, bit for
bit, in one go or in many. What is drawn at random in a step depends on the trial's seed and the step alone.
"""

from __future__ import annotations

import math
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

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
from .checkpoint import Checkpoints, Progress, State
from .environment import describe_environment
from .recipe import Recipe, plan_of
from .trial import Outcome, Trial

_LEARNT = 0.01  # share of the loss of guessing by which one that learns is below it after the warm-up

Report = Callable[[int, int, float], None]


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
        directory: gets `KEY.safetensors`, the trained weights (of our networks; nothing for a model of timm), and until the end
            `checkpoints/KEY/`.
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
    size = data.about.size or recipe.size
    if isinstance(trial.architecture, Architecture):
        trial.architecture.sizes(size)
    steps = data.steps_per_epoch(recipe)
    accelerator = _accelerator(precision)
    plan_of(recipe, steps, accelerator.num_processes, accumulate)  # an error if the batch does not divide
    key = trial.key(data.checksum)
    checkpoints = Checkpoints(folder / "checkpoints" / key)
    with _seeded(trial.seed), Stop() as stop:
        bare = _network(trial, data, accelerator.device)
        training = _Training(bare, trial, data, steps, accelerator, accumulate, compiled)
        done = training.to_the_end(checkpoints, checkpoint_seconds, stop, progress)
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
            if isinstance(final, ConvNet) and accelerator.is_main_process:
                final.pretrained_cfg = {
                    "mean": data.mean,
                    "std": data.std,
                    "input_size": (data.about.in_chans, size, size),
                }
                save_weights(final, folder / f"{key}.safetensors")
            seconds = done.seconds + time.perf_counter() - started
            outcome = replace(outcome, accuracy=accuracy, test_loss=test_loss, test_images=images, seconds=seconds)
        if accelerator.is_main_process:
            checkpoints.clear()
        return outcome


def _why_diverged(recipe: Recipe, epoch: int) -> str:
    return (
        f"the loss stopped being finite in epoch {epoch} at a learning rate of up to {recipe.effective_lr:g}: try a "
        "smaller one, a longer warm-up, or clip_grad"
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
            # A sum in float32 would depend on how the images are batched and shared between processes.
            loss = F.cross_entropy(logits.double(), labels, reduction="sum")
            totals += torch.stack([right.double(), loss, totals.new_tensor(len(labels))])
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
        trial: Trial,
        data: Data,
        steps: int,
        accelerator: Accelerator,
        accumulate: int,
        compiled: bool,
    ) -> None:
        recipe = trial.recipe
        self.trial, self.recipe, self.data, self.steps = trial, recipe, data, steps
        self.accelerator, self.accumulate = accelerator, accumulate
        optimizer = make_optimizer(recipe, network)
        self.schedule = make_schedule(recipe, optimizer, steps)
        self.mixup = make_mixup(recipe, data.about.num_classes)
        self.loss = make_loss(recipe)
        self.ema = ModelEmaV3(network, decay=recipe.ema) if recipe.ema else None
        self.bare = network
        self.network, self.optimizer = accelerator.prepare(torch.compile(network) if compiled else network, optimizer)

    def to_the_end(self, checkpoints: Checkpoints, every: float, stop: Stop, report: Report | None) -> Progress:
        """Train from the newest checkpoint, or the beginning, to the end or the first loss that is not finite."""
        found = checkpoints.load()
        if found is not None:
            self._restore(found)
        progress = found.progress if found else Progress()
        before, began = progress.seconds, time.perf_counter()
        saved = began
        chance = math.log(self.data.about.num_classes)
        while progress.epoch < self.recipe.epochs and (not progress.losses or math.isfinite(progress.losses[-1])):
            epoch, first = progress.epoch, progress.step
            rank, world = self.accelerator.process_index, self.accelerator.num_processes
            batches = self.data.train_batches(self.recipe, self.trial.seed, epoch, rank, world, first)
            self.network.train()
            for step, (images, labels) in enumerate(batches, start=first):
                loss = self._step(epoch * self.steps + step, images, labels)
                asked = self._asked_anywhere(stop)
                last = step + 1 == self.steps or not math.isfinite(loss)
                now = time.perf_counter()
                progress = replace(
                    progress, step=step + 1, epoch_loss=progress.epoch_loss + loss, seconds=before + now - began
                )
                if last:
                    progress = self._end_epoch(progress, loss, chance)
                if self.accelerator.is_main_process and (now - saved >= every or asked):
                    checkpoints.save(self._state(progress))
                    saved = time.perf_counter()
                if last and report:
                    report(epoch + 1, self.recipe.epochs, progress.losses[-1])
                if asked:
                    raise KeyboardInterrupt
                if last:
                    break
        return progress

    def _end_epoch(self, progress: Progress, loss: float, chance: float) -> Progress:
        """The mean loss of the epoch, or the first that is not finite; and whether anything was learnt by now."""
        mean = progress.epoch_loss / self.steps if math.isfinite(loss) else loss
        stuck = progress.not_learning
        if progress.epoch == max(1, self.recipe.warmup_epochs):  # the very first epoch begins at chance, whatever comes
            stuck = mean > (1 - _LEARNT) * chance
        return replace(
            progress,
            epoch=progress.epoch + 1,
            step=0,
            epoch_loss=0.0,
            losses=(*progress.losses, mean),
            not_learning=stuck,
        )

    def _step(self, number: int, images: Tensor, labels: Tensor) -> float:
        """One optimizer step; the number counts from the beginning of the trial. The loss, as a mean over all processes."""
        _seed(_step_seed(self.trial.seed, number, self.accelerator.process_index))
        self.schedule.step_update(number)
        device = self.accelerator.device
        images, labels = images.to(device), labels.to(device)
        if self.mixup:
            images, labels = self.mixup(images, labels)
        images = images.contiguous(memory_format=torch.channels_last)
        parts = list(zip(images.chunk(self.accumulate), labels.chunk(self.accumulate), strict=True))
        total = torch.zeros((), device=device)
        for i, (some_images, some_labels) in enumerate(parts, start=1):
            waits = self.accelerator.no_sync if i < len(parts) else _at_once
            with waits(self.network), self.accelerator.autocast():
                loss = self.loss(self.network(some_images).float(), some_labels) / len(parts)
                self.accelerator.backward(loss)
            total += loss.detach()
        if self.recipe.clip_grad:
            self.accelerator.clip_grad_norm_(self.bare.parameters(), self.recipe.clip_grad)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.ema:
            self.ema.update(self.bare)
        return self.accelerator.reduce(total, "mean").item()

    def _asked_anywhere(self, stop: Stop) -> bool:
        """Whether a process of the group was asked to stop: they stop together, or the others would wait for it."""
        if self.accelerator.num_processes == 1:
            return bool(stop)
        asked = torch.tensor(float(bool(stop)), device=self.accelerator.device)
        return bool(self.accelerator.reduce(asked, "sum").item())

    def _state(self, progress: Progress) -> State:
        tensors = {f"network.{name}": tensor for name, tensor in self.bare.state_dict().items()}
        if self.ema:
            tensors |= {f"ema.{name}": tensor for name, tensor in self.ema.module.state_dict().items()}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        return State(progress, tensors, self.optimizer.state_dict())

    def _restore(self, state: State) -> None:
        for prefix, module in (("network.", self.bare), ("ema.", self.ema.module if self.ema else None)):
            if module is not None:
                own = {name.removeprefix(prefix): x for name, x in state.tensors.items() if name.startswith(prefix)}
                module.load_state_dict(own)
        self.optimizer.load_state_dict(state.optimizer)


class Stop:
    """Within this context SIGINT and SIGTERM are noted instead of obeyed, so that a step can end and be kept.

    Only the main thread of a process hears of signals; elsewhere nothing is changed. A second SIGINT is obeyed.
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return self.asked

    def __enter__(self) -> Stop:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, frame: object) -> None:
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = True


def _step_seed(seed: int, step: int, rank: int) -> int:
    """Of what is drawn in a step: mixup, stochastic depth, dropout. One after the other would repeat over neighbouring seeds."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])


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
