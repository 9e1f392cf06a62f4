"""Training steps whose images, augmentation, learning rates and losses all lie on one device.

Nothing is read from the device between two readings of the losses, a few times an epoch: the CPU only launches the work and
never waits. On a CUDA device a step is one graph (`CapturedStep`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..data.about import Data
from ..data.in_memory import InMemory
from ..data.on_device import OnDevice
from ..design.trial import Trial
from .captured import CapturedStep
from .mixing import Mixing
from .optimization import make_loss, make_rates
from .seeds import seed_all, step_seed
from .stop import StopSignal

READINGS = 4  # of the losses, per epoch
_SHARE_OF_MEMORY = 0.25  # of what is free on a GPU: images that take more are copied to it batch by batch
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


class DeviceSteps:
    """The steps of a trial on one device, in one process.

    Args:
        trial: its recipe and seed.
        network: on the device, trained in place.
        optimizer: of the network.
        average: called after each step to update the average of the weights, or None.
        images: training images on the device.
        num_classes: number of classes.
        precision: a name in `PRECISIONS`.
        accumulate: parts in which a batch is processed.
        compiled: whether `torch.compile` is applied to the network.
        memory_format: of the images that the network gets.
    """

    def __init__(
        self,
        trial: Trial,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: Callable[[], None] | None,
        images: OnDevice,
        num_classes: int,
        precision: str,
        accumulate: int,
        compiled: bool,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        self.trial, self.recipe, self.images, self.steps = trial, trial.recipe, images, images.steps
        self._parameters = list(network.parameters())
        self._network = torch.compile(network) if compiled else network
        self._optimizer, self._average, self._accumulate = optimizer, average, accumulate
        self._memory_format = memory_format
        self._loss = make_loss(self.recipe)
        self._rates = make_rates(self.recipe, self.steps)
        self._dtype = PRECISIONS[precision]
        device = self._device = images.device
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
        self._mixing = None
        if self.recipe.mixup or self.recipe.cutmix:
            size = images.height, images.width
            self._mixing = Mixing(self.recipe, num_classes, self.steps, *size, device)
        self._step = torch.zeros(1, dtype=torch.int64, device=device)  # of the epoch; each step adds one
        self._losses = torch.zeros(self.steps, device=device)
        self._rate = torch.zeros((), device=device)
        self._epoch_rates = torch.zeros(self.steps, device=device)
        self._take = CapturedStep(self._take_step, optimizer) if device.type == "cuda" else self._take_step

    @property
    def kind(self) -> str:
        """How the steps are taken."""
        if not isinstance(self._take, CapturedStep):
            return "on device"
        return f"not captured: {self._take.obstacle}" if self._take.obstacle else "captured"

    def losses(self, epoch: int, first: int, stop: StopSignal) -> Iterator[list[float]]:
        """Take the steps of an epoch from `first` on, and yield the losses of those taken since the previous reading.

        Args:
            epoch: from 0.
            first: step at which to start.
            stop: checked after each step; the losses are read at once if a stop is requested.
        """
        self._start_epoch(epoch, first)
        every = -(-self.steps // READINGS)
        read = first
        for step in range(first, self.steps):
            torch.manual_seed(step_seed(self.trial.seed, epoch * self.steps + step))  # for stochastic depth and dropout
            self._take()
            if (step + 1) % every == 0 or step + 1 == self.steps or stop:
                yield self._losses[read : step + 1].tolist()
                read = step + 1

    def stop_requested(self, stop: StopSignal) -> bool:
        """Return whether a stop signal was received."""
        return bool(stop)

    def autocast(self) -> torch.autocast:
        """Return the context in which the network computes in the chosen precision."""
        # A cache of casted weights would be filled while a graph is recorded, and be stale when it is replayed.
        return torch.autocast(
            self._device.type, dtype=self._dtype, enabled=self._dtype is not None, cache_enabled=False
        )

    def state(self) -> dict[str, Any]:
        """Return the state of the optimizer, and of the loss scale in float16, as plain data and tensors."""
        state = self._optimizer.state_dict()
        for group in state["param_groups"]:
            group["lr"] = float(group["lr"])
            if "capturable" in group:
                group["capturable"] = False  # set when the step is recorded
        return {**state, "scaler": self.scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Set what `state` returned."""
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(state["scaler"])
        self._optimizer.load_state_dict({name: state[name] for name in ("state", "param_groups")})

    def _start_epoch(self, epoch: int, first: int) -> None:
        self.images.start_epoch(self.trial.seed, epoch)
        numbers = range(epoch * self.steps, (epoch + 1) * self.steps)
        self._epoch_rates.copy_(torch.tensor([self._rates(number) for number in numbers]))
        self._step.fill_(first)
        if self._mixing:
            draws = []
            for number in numbers:
                seed_all(step_seed(self.trial.seed, number))
                draws.append(self._mixing.draw())
            self._mixing.start_epoch(draws)
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate  # set here, since loading a state replaces it

    def _take_step(self) -> None:
        """Take one optimizer step. It reads nothing from the device, so that it can be recorded as a graph."""
        self._rate.copy_(self._epoch_rates.index_select(0, self._step)[0])
        images, labels = self.images.batch(self._step)
        if self._mixing:
            images, labels = self._mixing(images, labels, self._step)
        images = images.contiguous(memory_format=self._memory_format)
        self._optimizer.zero_grad(set_to_none=True)
        total = self._rate.new_zeros(())
        for part_images, part_labels in self._parts(images, labels):
            with self.autocast():
                logits = self._network(part_images)
            loss = self._loss(logits.float(), part_labels) / self._accumulate
            self.scaler.scale(loss).backward()
            total = total + loss.detach()
        if self.recipe.clip_grad:
            self.scaler.unscale_(self._optimizer)
            torch.nn.utils.clip_grad_norm_(self._parameters, self.recipe.clip_grad)
        self.scaler.step(self._optimizer)
        self.scaler.update()
        if self._average:
            self._average()
        self._losses.index_copy_(0, self._step, total[None])
        self._step.add_(1)

    def _parts(self, images: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        # The memory format of a part of the batch is that of the batch.
        yield from zip(images.chunk(self._accumulate), labels.chunk(self._accumulate), strict=True)


def place_images(data: Data, trial: Trial, accelerator: Accelerator) -> OnDevice | None:
    """Return the training images on the device; None if they are streamed, shared between processes, or too many."""
    held = data.held_in_memory(trial.recipe) if accelerator.num_processes == 1 else None
    if not isinstance(held, InMemory):
        return None
    device = accelerator.device
    if device.type == "cuda" and held.train_images.nbytes > _SHARE_OF_MEMORY * torch.cuda.mem_get_info(device)[0]:
        return None
    return OnDevice(held, trial.recipe, device)
