"""The training loop: from a network and a recipe to the last epoch, through Hugging Face Accelerate."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import torch
from accelerate import Accelerator
from timm.utils import ModelEmaV3
from torch import Tensor, nn

from ..data.about import Data
from ..design.trial import Trial
from .checkpoint import Checkpoints, Progress, State
from .optimization import make_loss, make_mixup, make_optimizer, make_schedule
from .stop import StopSignal

_LEARNT = 0.01  # share of the loss of guessing by which one that learns is below it after the warm-up

Report = Callable[[int, int, float], None]


class Training:
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
        self.mixup = make_mixup(recipe, data.info.num_classes)
        self.loss = make_loss(recipe)
        self.ema = ModelEmaV3(network, decay=recipe.ema) if recipe.ema else None
        self.bare = network
        self.network, self.optimizer = accelerator.prepare(torch.compile(network) if compiled else network, optimizer)

    def run_to_end(self, checkpoints: Checkpoints, every: float, stop: StopSignal, report: Report | None) -> Progress:
        """Train from the newest checkpoint, or the beginning, to the end or the first loss that is not finite."""
        found = checkpoints.load()
        if found is not None:
            self._restore(found)
        progress = found.progress if found else Progress()
        before, began = progress.seconds, time.perf_counter()
        saved = began
        chance = math.log(self.data.info.num_classes)
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
        seed_all(_step_seed(self.trial.seed, number, self.accelerator.process_index))
        self.schedule.step_update(number)
        device = self.accelerator.device
        images, labels = images.to(device), labels.to(device)
        if self.mixup:
            images, labels = self.mixup(images, labels)
        images = images.contiguous(memory_format=torch.channels_last)
        parts = list(zip(images.chunk(self.accumulate), labels.chunk(self.accumulate), strict=True))
        total = torch.zeros((), device=device)
        for i, (some_images, some_labels) in enumerate(parts, start=1):
            is_last = i == len(parts)  # gradients are exchanged between processes in the last part only
            with nullcontext() if is_last else self.accelerator.no_sync(self.network), self.accelerator.autocast():
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

    def _asked_anywhere(self, stop: StopSignal) -> bool:
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


def seed_all(seed: int) -> None:
    """Seed every source of randomness that training draws from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _step_seed(seed: int, step: int, rank: int) -> int:
    """Of what is drawn in a step: mixup, stochastic depth, dropout. One after the other would repeat over neighbouring seeds."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])
