"""Training steps taken one by one, in one or more processes, based on Hugging Face Accelerate.

The reference of every other way to train: on a CPU its results are reproduced bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from ..data.about import Data
from ..design.recipe import Recipe
from ..design.trial import Trial
from .optimization import make_loss, make_mixup, make_schedule
from .seeds import seed_all, step_seed
from .stop import StopSignal


def loaded_parts(data: Data, recipe: Recipe, accumulate: int) -> int:
    """Return in how many parts a process loads its share of a batch: one, or all accumulated ones where files are read."""
    return accumulate if data.held_in_memory(recipe) is None else 1


class EagerSteps:
    """The steps of a trial in this process, which may be one of several.

    Args:
        trial: its recipe and seed.
        network: on the device, trained in place.
        optimizer: of the network.
        average: called after each step to update the average of the weights, or None.
        data: the data set.
        steps: number of steps per epoch.
        accelerator: devices, processes and precision.
        accumulate: parts in which each process handles its share of a batch.
        compiled: whether `torch.compile` is applied to the network.
        workers: processes that read image files; None for as many as cores and memory allow.
        memory_format: of the images that the network gets.
    """

    kind = "eager"

    def __init__(
        self,
        trial: Trial,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: Callable[[], None] | None,
        data: Data,
        steps: int,
        accelerator: Accelerator,
        accumulate: int,
        compiled: bool,
        workers: int | None = None,
        memory_format: torch.memory_format = torch.channels_last,
    ) -> None:
        self.trial, self.recipe, self.data, self.steps = trial, trial.recipe, data, steps
        self._accelerator, self._accumulate, self._average = accelerator, accumulate, average
        self._workers, self._memory_format = workers, memory_format
        self._loaded_parts = loaded_parts(data, self.recipe, accumulate)
        self._schedule = make_schedule(self.recipe, optimizer, steps)
        self._mixup = make_mixup(self.recipe, data.info.num_classes)
        self._loss = make_loss(self.recipe)
        self._unwrapped = network
        attributes = set(vars(network))
        prepared, self._optimizer = accelerator.prepare(network, optimizer)
        # Accelerate replaces the network's `forward` by one in the precision of training; here only steps are to use that.
        for name in set(vars(network)) - attributes:
            delattr(network, name)
        self._network = torch.compile(prepared) if compiled else prepared

    def losses(self, epoch: int, first: int, stop: StopSignal) -> Iterator[list[float]]:
        """Take the steps of an epoch from `first` on, and yield the loss of each.

        Args:
            epoch: from 0.
            first: step at which to start.
            stop: not used here: the caller checks it after each step.
        """
        rank, world = self._accelerator.process_index, self._accelerator.num_processes
        batches = self.data.train_batches(
            self.recipe,
            self.trial.seed,
            epoch,
            rank,
            world,
            first,
            parts=self._loaded_parts,
            device=self._accelerator.device,
            workers=self._workers,
        )
        for step in range(first, self.steps):
            yield [self._take_step(epoch * self.steps + step, islice(batches, self._loaded_parts))]

    def stop_requested(self, stop: StopSignal) -> bool:
        """Return whether any process received a stop signal. All stop together, as the others would wait for one that stops."""
        if self._accelerator.num_processes == 1:
            return bool(stop)
        requests = torch.tensor(float(bool(stop)), device=self._accelerator.device)
        return bool(self._accelerator.reduce(requests, "sum").item())

    def state(self) -> dict[str, Any]:
        """Return the state of the optimizer, and of the loss scale in float16, as plain data and tensors."""
        scaler = self._accelerator.scaler
        return {**self._optimizer.state_dict(), "scaler": scaler.state_dict() if scaler else {}}

    def restore(self, state: dict[str, Any]) -> None:
        """Set what `state` returned."""
        if self._accelerator.scaler and state.get("scaler"):
            self._accelerator.scaler.load_state_dict(state["scaler"])
        self._optimizer.load_state_dict({name: state[name] for name in ("state", "param_groups")})

    def _take_step(self, number: int, batches: Iterator[tuple[Tensor, Tensor]]) -> float:
        """Take one optimizer step and return its loss, averaged over all processes.

        Args:
            number: of the step, counted from the start of the trial.
            batches: this process's share of the batch, as it is loaded.
        """
        accelerator = self._accelerator
        seed_all(step_seed(self.trial.seed, number, accelerator.process_index))
        self._schedule.step_update(number)
        total = torch.zeros((), device=accelerator.device)
        for i, (images, labels) in enumerate(self._parts(batches), start=1):
            is_last = i == self._accumulate  # only the last part exchanges gradients between processes
            with nullcontext() if is_last else accelerator.no_sync(self._network), accelerator.autocast():
                loss = self._loss(self._network(images).float(), labels) / self._accumulate
                accelerator.backward(loss)
            total += loss.detach()
        if self.recipe.clip_grad:
            accelerator.clip_grad_norm_(self._unwrapped.parameters(), self.recipe.clip_grad)
        self._optimizer.step()
        self._optimizer.zero_grad()
        if self._average:
            self._average()
        return accelerator.reduce(total, "mean").item()

    def _parts(self, batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the accumulated parts of the loaded ones. Images are mixed within what is loaded at a time."""
        for images, labels in batches:
            if self._mixup:
                images, labels = self._mixup(images, labels)
            images = images.contiguous(memory_format=self._memory_format)
            number = self._accumulate // self._loaded_parts
            yield from zip(images.chunk(number), labels.chunk(number), strict=True)
