"""The training loop of a trial: epochs, checkpoints, and the reports in between. The steps themselves are taken elsewhere."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import torch
from accelerate import Accelerator
from timm.utils import ModelEmaV3, distribute_bn
from torch import Tensor, nn

from ..data.about import Data
from ..design.trial import Trial
from .checkpoint import Checkpoints, Progress, State
from .device_steps import DeviceSteps, place_images
from .devices import stored_precision
from .eager_steps import EagerSteps, loaded_parts
from .evaluation import evaluate
from .optimization import check_batch, make_optimizer, make_rates
from .stop import StopSignal

# A network is not learning if its loss after the warm-up is not lower than that of guessing by at least this share.
_MIN_IMPROVEMENT = 0.01

_LONGEST = 900.0  # seconds between two checkpoints, however long it takes to write one
_SHARE_OF_TIME = 100.0  # at most a hundredth of the time within an epoch is spent on writing checkpoints


@dataclass(frozen=True)
class Moment:
    """How far a trial has come.

    Args:
        epoch, epochs: the current epoch, from 1, and their number.
        step, steps: completed steps in this epoch, and their number; an epoch ends early only if the trial diverges.
        loss: mean training loss of the epoch so far.
        learning_rate: that of the last step.
        images_per_second: training images of all processes per second, in this epoch.
        accuracy: top-1 accuracy on the test images in percent, where the network was evaluated after this epoch.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    learning_rate: float
    images_per_second: float
    accuracy: float | None = None

    @property
    def ends_epoch(self) -> bool:
        """Whether the epoch is over."""
        return self.step == self.steps or not math.isfinite(self.loss)


Report = Callable[[Moment], None]


class Steps(Protocol):
    """A way to take the steps of a trial."""

    @property
    def kind(self) -> str:
        """How the steps are taken, in a few words."""

    def losses(self, epoch: int, first: int, stop: StopSignal) -> Iterator[list[float]]:
        """Take the steps of an epoch from `first` on, and yield the losses of one or more steps at a time."""

    def stop_requested(self, stop: StopSignal) -> bool:
        """Return whether this or any other process received a stop signal."""

    def state(self) -> dict[str, Any]:
        """Return the state of the optimizer."""

    def restore(self, state: dict[str, Any]) -> None:
        """Set the state of the optimizer."""


class Training:
    """Network, optimizer, steps and weight average (EMA) of one trial.

    Args:
        network: on the device of the accelerator, trained in place.
        trial: its recipe and seed.
        data: the data set.
        steps: number of steps per epoch.
        accelerator: devices, processes and precision.
        accumulate: parts in which each process handles its share of a batch.
        compiled: whether `torch.compile` is applied to the network.
        on_device: whether the images lie on the device and are augmented there; by default on any device but the CPU, where
            the images are held in memory, they fit, and only one process trains.
        workers: processes that read image files; None for as many as cores and memory allow.
        memory_format: of the images that the network gets.
    """

    def __init__(
        self,
        network: nn.Module,
        trial: Trial,
        data: Data,
        steps: int,
        accelerator: Accelerator,
        accumulate: int,
        compiled: bool,
        on_device: bool | None = None,
        workers: int | None = None,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        recipe = trial.recipe
        parts = loaded_parts(data, recipe, accumulate)
        check_batch(recipe, network, accelerator.num_processes, accumulate, parts)
        self.trial, self.recipe, self.data, self.steps = trial, recipe, data, steps
        self.accelerator, self.workers = accelerator, workers
        self.ema = ModelEmaV3(network, decay=recipe.ema) if recipe.ema else None
        self.network = network
        self._rates = make_rates(recipe, steps)
        optimizer = make_optimizer(recipe, network)
        average = partial(self.ema.update, network) if self.ema else None
        common = (trial, network, optimizer, average)
        if on_device is None:
            on_device = accelerator.device.type != "cpu"
        images = place_images(data, trial, accelerator) if on_device else None
        self.taken: Steps
        if images is None:
            self.taken = EagerSteps(*common, data, steps, accelerator, accumulate, compiled, workers, memory_format)
        else:
            precision = stored_precision(accelerator.mixed_precision)
            classes = data.info.num_classes
            self.taken = DeviceSteps(*common, images, classes, precision, accumulate, compiled, memory_format)

    def run_to_end(
        self,
        checkpoints: Checkpoints,
        every: float,
        stop: StopSignal,
        report: Report | None,
        validate_every: int = 0,
    ) -> Progress:
        """Train to the last epoch, starting from the newest checkpoint if there is one.

        Training ends early at the first loss that is not finite.

        Args:
            checkpoints: of this trial.
            every: least number of seconds between two checkpoints. Within an epoch there are fewer if writing them takes long.
            stop: checked whenever losses are known, which on a CPU is after each step.
            report: called whenever losses are known, or None.
            validate_every: number of epochs after which the network is evaluated on the test images; 0 for never.

        Raises:
            KeyboardInterrupt: if a stop was requested, after a checkpoint has been written.
        """
        try:
            return self._run_to_end(checkpoints, every, stop, report, validate_every)
        finally:
            checkpoints.finish()

    def _run_to_end(
        self, checkpoints: Checkpoints, every: float, stop: StopSignal, report: Report | None, validate_every: int
    ) -> Progress:
        checkpoint = checkpoints.load()
        if checkpoint is not None:
            self._restore(checkpoint)
        progress = checkpoint.progress if checkpoint else Progress()
        clock = _Clock(progress.seconds)
        last_saved = time.perf_counter()
        chance = math.log(self.data.info.num_classes)
        while progress.epoch < self.recipe.epochs and (not progress.losses or math.isfinite(progress.losses[-1])):
            epoch, first, began = progress.epoch, progress.step, clock.seconds()
            self.network.train()
            for losses in self.taken.losses(epoch, progress.step, stop):
                stopping = self.taken.stop_requested(stop)
                progress = _add(progress, losses, clock.seconds())
                broken = next((loss for loss in losses if not math.isfinite(loss)), None)
                is_last = progress.step == self.steps or broken is not None
                images = (progress.step - first) * self.recipe.batch_size
                moment = self._moment(progress, images / (progress.seconds - began))
                if is_last:
                    progress = self._end_epoch(progress, broken, chance)
                    moment = replace(moment, loss=progress.losses[-1])
                    if validate_every and progress.epoch % validate_every == 0 and broken is None:
                        with clock.paused():
                            tested = (self.final_network(), self.data, self.recipe, self.accelerator)
                            accuracy, *_ = evaluate(*tested, workers=self.workers)
                        progress = replace(progress, validated={**progress.validated, str(progress.epoch): accuracy})
                        moment = replace(moment, accuracy=accuracy)
                if report:  # before the checkpoint, since a process that is killed in between repeats the epoch
                    report(moment)
                interval = every if is_last else max(every, min(_LONGEST, _SHARE_OF_TIME * checkpoints.write_seconds))
                due = time.perf_counter() - last_saved >= (interval if every else 0)
                if self.accelerator.is_main_process and (due or stopping):
                    checkpoints.save_beside(self._state(progress))
                    last_saved = time.perf_counter()
                if stopping:
                    raise KeyboardInterrupt
                if is_last:
                    break
        return progress

    def _moment(self, progress: Progress, images_per_second: float) -> Moment:
        number = progress.epoch * self.steps + progress.step - 1
        return Moment(
            epoch=progress.epoch + 1,
            epochs=self.recipe.epochs,
            step=progress.step,
            steps=self.steps,
            loss=progress.epoch_loss / progress.step,
            learning_rate=self._rates(number),
            images_per_second=images_per_second,
        )

    def final_network(self) -> nn.Module:
        """Return the network to evaluate and save: the weight average if there is one, alike in all processes."""
        final = self.ema.module if self.ema else self.network
        if self.accelerator.num_processes > 1:
            # Rank 0's statistics, which are those in the checkpoints: a mean over the ranks could not be resumed.
            distribute_bn(final, self.accelerator.num_processes, reduce=False)
        return final

    def _end_epoch(self, progress: Progress, broken: float | None, chance: float) -> Progress:
        """Record the mean loss of the epoch, or the loss that is not finite, and whether the network is learning."""
        mean = progress.epoch_loss / self.steps if broken is None else broken
        not_learning = progress.not_learning
        if progress.epoch == max(1, self.recipe.warmup_epochs):  # not epoch 0, which always starts at chance
            not_learning = mean > (1 - _MIN_IMPROVEMENT) * chance
        return replace(
            progress,
            epoch=progress.epoch + 1,
            step=0,
            epoch_loss=0.0,
            losses=(*progress.losses, mean),
            not_learning=not_learning,
        )

    def _state(self, progress: Progress) -> State:
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        if self.ema:
            tensors |= {f"ema.{name}": tensor for name, tensor in self.ema.module.state_dict().items()}
        tensors = {name: tensor.contiguous() for name, tensor in _copied(tensors).items()}
        return State(progress, tensors, _copied(self.taken.state()))

    def _restore(self, state: State) -> None:
        for prefix, module in (("network.", self.network), ("ema.", self.ema.module if self.ema else None)):
            if module is not None:
                tensors = {name.removeprefix(prefix): x for name, x in state.tensors.items() if name.startswith(prefix)}
                module.load_state_dict(tensors)
        self.taken.restore(state.optimizer)


def _copied(value: Any) -> Any:
    """Return a copy of nested dicts and lists whose tensors are on the CPU.

    Their strides are kept: fused optimizers pair the elements of a weight and of its state by their place in memory.
    """
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, dict):
        return {name: _copied(item) for name, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


class _Clock:
    """The training time of a trial in all of its runs, without evaluations in between."""

    def __init__(self, before: float) -> None:
        self._started = time.perf_counter() - before

    def seconds(self) -> float:
        """Return the seconds so far."""
        return time.perf_counter() - self._started

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Do not count the time in this context."""
        paused = time.perf_counter()
        yield
        self._started += time.perf_counter() - paused


def _add(progress: Progress, losses: list[float], seconds: float) -> Progress:
    """Return the progress after further steps with these losses."""
    total = progress.epoch_loss
    for loss in losses:
        total += loss
    return replace(progress, step=progress.step + len(losses), epoch_loss=total, seconds=seconds)
