"""The training loop, based on Hugging Face Accelerate."""

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
from timm.utils import ModelEmaV3, distribute_bn
from torch import Tensor, nn

from ..data.about import Data
from ..design.trial import Trial
from .checkpoint import Checkpoints, Progress, State
from .optimization import check_batch, make_loss, make_mixup, make_optimizer, make_schedule
from .stop import StopSignal

# A network is not learning if its loss after the warm-up is not lower than that of guessing by at least this share.
_MIN_IMPROVEMENT = 0.01

Report = Callable[[int, int, float], None]


class Training:
    """Network, optimizer, schedule, loss and weight average (EMA) of one trial."""

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
        check_batch(recipe, network, accelerator.num_processes, accumulate)
        self.trial, self.recipe, self.data, self.steps = trial, recipe, data, steps
        self.accelerator, self.accumulate = accelerator, accumulate
        optimizer = make_optimizer(recipe, network)
        self.schedule = make_schedule(recipe, optimizer, steps)
        self.mixup = make_mixup(recipe, data.info.num_classes)
        self.loss = make_loss(recipe)
        self.ema = ModelEmaV3(network, decay=recipe.ema) if recipe.ema else None
        self.unwrapped = network
        self.network, self.optimizer = accelerator.prepare(torch.compile(network) if compiled else network, optimizer)

    def run_to_end(self, checkpoints: Checkpoints, every: float, stop: StopSignal, report: Report | None) -> Progress:
        """Train to the last epoch, starting from the newest checkpoint if there is one.

        Training ends early at the first loss that is not finite.

        Args:
            checkpoints: of this trial.
            every: seconds between two checkpoints.
            stop: checked after each step.
            report: called after each epoch, or None.

        Raises:
            KeyboardInterrupt: if a stop was requested, after a checkpoint has been written.
        """
        checkpoint = checkpoints.load()
        if checkpoint is not None:
            self._restore(checkpoint)
        progress = checkpoint.progress if checkpoint else Progress()
        previous_seconds, started = progress.seconds, time.perf_counter()
        last_saved = started
        chance = math.log(self.data.info.num_classes)
        while progress.epoch < self.recipe.epochs and (not progress.losses or math.isfinite(progress.losses[-1])):
            epoch, first = progress.epoch, progress.step
            rank, world = self.accelerator.process_index, self.accelerator.num_processes
            batches = self.data.train_batches(self.recipe, self.trial.seed, epoch, rank, world, first)
            self.network.train()
            for step, (images, labels) in enumerate(batches, start=first):
                loss = self._step(epoch * self.steps + step, images, labels)
                stopping = self._stop_requested(stop)
                is_last = step + 1 == self.steps or not math.isfinite(loss)
                now = time.perf_counter()
                progress = replace(
                    progress,
                    step=step + 1,
                    epoch_loss=progress.epoch_loss + loss,
                    seconds=previous_seconds + now - started,
                )
                if is_last:
                    progress = self._end_epoch(progress, loss, chance)
                if (
                    is_last and report
                ):  # before the checkpoint, since a process that is killed in between repeats the epoch
                    report(epoch + 1, self.recipe.epochs, progress.losses[-1])
                if self.accelerator.is_main_process and (now - last_saved >= every or stopping):
                    checkpoints.save(self._state(progress))
                    last_saved = time.perf_counter()
                if stopping:
                    raise KeyboardInterrupt
                if is_last:
                    break
        return progress

    def final_network(self) -> nn.Module:
        """Return the network to evaluate and save: the weight average if there is one, in float32, alike in all processes."""
        self.accelerator.unwrap_model(
            self.network, keep_fp32_wrapper=False
        )  # else it would compute in bf16 where its average does not
        final = self.ema.module if self.ema else self.unwrapped
        if self.accelerator.num_processes > 1:
            # Rank 0's statistics, which are those in the checkpoints: a mean over the ranks could not be resumed.
            distribute_bn(final, self.accelerator.num_processes, reduce=False)
        return final

    def _end_epoch(self, progress: Progress, loss: float, chance: float) -> Progress:
        """Record the mean loss of the epoch, or the non-finite loss, and whether the network is learning."""
        mean = progress.epoch_loss / self.steps if math.isfinite(loss) else loss
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

    def _step(self, number: int, images: Tensor, labels: Tensor) -> float:
        """Take one optimizer step and return its loss, averaged over all processes.

        Args:
            number: of the step, counted from the start of the trial.
            images, labels: this process's share of the batch.
        """
        seed_all(_step_seed(self.trial.seed, number, self.accelerator.process_index))
        self.schedule.step_update(number)
        device = self.accelerator.device
        images, labels = images.to(device), labels.to(device)
        if self.mixup:
            images, labels = self.mixup(images, labels)
        images = images.contiguous(memory_format=torch.channels_last)
        parts = list(zip(images.chunk(self.accumulate), labels.chunk(self.accumulate), strict=True))
        total = torch.zeros((), device=device)
        for i, (part_images, part_labels) in enumerate(parts, start=1):
            is_last = i == len(parts)  # only the last part exchanges gradients between processes
            with nullcontext() if is_last else self.accelerator.no_sync(self.network), self.accelerator.autocast():
                loss = self.loss(self.network(part_images).float(), part_labels) / len(parts)
                self.accelerator.backward(loss)
            total += loss.detach()
        if self.recipe.clip_grad:
            self.accelerator.clip_grad_norm_(self.unwrapped.parameters(), self.recipe.clip_grad)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.ema:
            self.ema.update(self.unwrapped)
        return self.accelerator.reduce(total, "mean").item()

    def _stop_requested(self, stop: StopSignal) -> bool:
        """Return whether any process received a stop signal. All stop together, as the others would wait for one that stops."""
        if self.accelerator.num_processes == 1:
            return bool(stop)
        requests = torch.tensor(float(bool(stop)), device=self.accelerator.device)
        return bool(self.accelerator.reduce(requests, "sum").item())

    def _state(self, progress: Progress) -> State:
        tensors = {f"network.{name}": tensor for name, tensor in self.unwrapped.state_dict().items()}
        if self.ema:
            tensors |= {f"ema.{name}": tensor for name, tensor in self.ema.module.state_dict().items()}
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        return State(progress, tensors, self.optimizer.state_dict())

    def _restore(self, state: State) -> None:
        for prefix, module in (("network.", self.unwrapped), ("ema.", self.ema.module if self.ema else None)):
            if module is not None:
                tensors = {name.removeprefix(prefix): x for name, x in state.tensors.items() if name.startswith(prefix)}
                module.load_state_dict(tensors)
        self.optimizer.load_state_dict(state.optimizer)


def seed_all(seed: int) -> None:
    """Seed every random generator that training uses."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _step_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed for the draws of one step: mixup, stochastic depth, dropout.

    A simple sum of seed and step would repeat the same draws for neighbouring trial seeds.
    """
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])
