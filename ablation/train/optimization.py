"""Optimizer, schedule, mixup and loss of a recipe, created with timm and torch."""

from __future__ import annotations

from collections.abc import Callable

import timm
import torch
from timm.data import Mixup
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from torch import nn

from ..design.recipe import Recipe
from ..errors import AblationError


def check_batch(recipe: Recipe, network: nn.Module, processes: int, accumulate: int, loaded: int = 1) -> None:
    """Check that the network and the recipe can be trained with the images that they get at a time.

    Args:
        recipe: its batch divides evenly, as `make_plan` checks.
        network: the network.
        processes: processes that train in parallel.
        accumulate: parts into which each process divides its share of a batch.
        loaded: parts in which each process loads its share.

    Raises:
        AblationError: if mixup gets an odd number of images, or a batch norm a single one.
    """
    share = recipe.batch_size // processes
    if (recipe.mixup or recipe.cutmix) and share // loaded % 2:
        at_a_time = f" in {loaded} parts of {share // loaded}" if loaded > 1 else ""
        raise AblationError(
            f"recipe {recipe.name!r} uses mixup or cutmix, which pairs images, but each of {processes} processes gets "
            f"{share} of the {recipe.batch_size} images of a batch{at_a_time}: that number must be even"
        )
    if share // accumulate == 1 and any(
        isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules()
    ):
        raise AblationError(
            f"batch_size {recipe.batch_size} in {processes} processes times {accumulate} accumulated parts is one image at a "
            "time, but the network's batch norms need two or more: use fewer parts or processes"
        )


def make_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """Return the recipe's optimizer, from timm."""
    name = "momentum" if recipe.optimizer == "sgd" else "adamw"  # timm's "sgd" is Nesterov; "momentum" is plain SGD
    arguments = {"momentum": recipe.momentum} if recipe.optimizer == "sgd" else {"betas": recipe.betas}
    return create_optimizer_v2(
        network,
        opt=name,
        lr=recipe.effective_lr,
        weight_decay=recipe.weight_decay,
        filter_bias_and_bn=not recipe.decay_norms,
        fused=True,  # one pass over all weights: takes a fifth of the time on a CPU for networks with many small tensors
        **arguments,
    )


def make_schedule(recipe: Recipe, optimizer: torch.optim.Optimizer, steps: int) -> timm.scheduler.scheduler.Scheduler:
    """Return the recipe's learning-rate schedule per optimizer step, from timm: linear warm-up, then steps or a cosine."""
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


def make_rates(recipe: Recipe, steps: int) -> Callable[[int], float]:
    """Return the learning rate of an optimizer step, counted from the start of the trial, as the schedule sets it."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=recipe.effective_lr)
    schedule = make_schedule(recipe, optimizer, steps)

    def rate(number: int) -> float:
        schedule.step_update(number)
        return float(optimizer.param_groups[0]["lr"])

    return rate


def make_mixup(recipe: Recipe, num_classes: int) -> Mixup | None:
    """Return Mixup and CutMix as used in the paper, from timm: one of the two per batch. Return None if both are off."""
    if not (recipe.mixup or recipe.cutmix):
        return None
    return Mixup(
        mixup_alpha=recipe.mixup,
        cutmix_alpha=recipe.cutmix,
        label_smoothing=recipe.label_smoothing,
        num_classes=num_classes,
    )


def make_loss(recipe: Recipe) -> nn.Module:
    """Return cross-entropy with label smoothing. The targets of Mixup and CutMix are already smoothed."""
    smoothed_by_mixup = bool(recipe.mixup or recipe.cutmix)
    return nn.CrossEntropyLoss(label_smoothing=0.0 if smoothed_by_mixup else recipe.label_smoothing)
