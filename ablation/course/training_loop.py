"""A short training loop, and what it must do: the reference of the exercise of notebook 07 with three bugs.

The loop is that of notebook 07 with the parts of the modern recipe (Liu et al. 2022, arXiv 2201.03545, table 5): AdamW, no weight
decay for norms and biases, a learning rate for each step, and label smoothing in training only. Each probe runs an answer where
only one part of it matters, so a wrong part is found even if others are wrong, too.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data import load

BATCH, DECAY, SMOOTHING = 64, 0.05, 0.1
_IMAGES, _STEPS, _PEAK = 256, 12, 0.02
_RELATIVE = 1e-6  # difference of losses that is due to rounding


class Digits(NamedTuple):
    """Images (N, 1, 8, 8), float64, and labels (N,), int64, for training and for the test."""

    images: Tensor
    labels: Tensor
    test_images: Tensor
    test_labels: Tensor


Train = Callable[..., tuple[list[float], float]]  # network, *Digits, rates, seed -> losses and test loss


@cache
def digits() -> Digits:
    """Return 256 training images of digits and all test images."""
    data: Any = load("digits")
    return Digits(
        data.train_images[:_IMAGES].double(), data.train_labels[:_IMAGES], data.test_images.double(), data.test_labels
    )


def network(seed: int) -> nn.Module:
    """Return a tiny network with a batch norm, in float64 and in training mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(128, 10),
        ).double()


def rates() -> list[float]:
    """Return a learning rate for each step: linear warm-up from 0, then a cosine."""
    warmup = 3
    waves = [(1 + math.cos(math.pi * step / (_STEPS - warmup))) / 2 for step in range(_STEPS - warmup)]
    return [_PEAK * step / warmup for step in range(warmup)] + [_PEAK * wave for wave in waves]


def train(network: nn.Module, data: Digits, rates: Sequence[float], seed: int) -> tuple[list[float], float]:
    """Train a network in place; return the loss of each step, before the step, and the loss of all test images at the end."""
    parameters = list(network.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": DECAY},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups)
    generator = torch.Generator().manual_seed(seed)
    losses = []
    network.train()
    for rate in rates:
        for group in optimizer.param_groups:
            group["lr"] = rate
        batch = torch.randperm(len(data.images), generator=generator)[:BATCH]
        loss = F.cross_entropy(network(data.images[batch]), data.labels[batch], label_smoothing=SMOOTHING)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, _test_loss(network.eval(), data)


@torch.no_grad()
def _test_loss(network: nn.Module, data: Digits, smoothing: float = 0.0) -> float:
    return F.cross_entropy(network(data.test_images), data.test_labels, label_smoothing=smoothing).item()


def _equal(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=_RELATIVE)


def wrong_evaluation(answer: Train) -> str:
    """Return what is wrong with the test loss that an answer returns for the network that it has trained, or ""."""
    data, trained = digits(), network(1)
    _, given = answer(trained, *data, rates(), 1)
    if _equal(given, _test_loss(copy.deepcopy(trained).eval(), data)):
        return ""
    if _equal(given, _test_loss(copy.deepcopy(trained).train(), data)):
        return "the evaluation depends on the batch: the loss of a test image changes with the other test images"
    if _equal(given, _test_loss(copy.deepcopy(trained).eval(), data, SMOOTHING)):
        return "the evaluation uses the smoothed targets of training"
    return "the test loss is not the mean cross-entropy of the trained network on the test images"


def wrong_schedule(answer: Train) -> str:
    """Return what is wrong with the learning rates that an answer uses, or ""."""
    data, few = digits(), [0.0, _PEAK]
    trained = network(2)
    (_, second), _ = answer(trained, *data, few, 2)
    reference = network(2)
    (_, expected), _ = train(reference, data, few, 2)
    if not _equal(second, expected):
        return "the learning rates come at the wrong steps: with a rate of 0 at the first step, that step changes the weights"
    if torch.equal(trained[0].weight, network(2)[0].weight):  # type: ignore[index]
        return "the learning rates come at the wrong steps: the rate of the last step is not used"
    return ""


def wrong_decay(answer: Train, exactly: bool = True) -> str:
    """Return what is wrong with the weight decay of an answer, or "".

    Args:
        answer: the reader's loop.
        exactly: whether to compare the factor by which weights shrink, which also depends on the learning rates.
    """

    class Constant(nn.Module):
        """A network whose output does not depend on its weights, so that only weight decay changes them."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = network(3)

        def forward(self, x: Tensor) -> Tensor:
            return 0 * self.inner(x)

    constant = Constant()
    before = {name: value.detach().clone() for name, value in constant.named_parameters()}
    few = [0.01] * 3  # constant, so that the step at which a rate comes does not matter
    answer(constant, *digits(), few, 3)
    kept = math.prod(1 - rate * DECAY for rate in few)
    for name, value in constant.named_parameters():
        if value.ndim <= 1 and not torch.equal(value, before[name]):
            return "weight decay reaches norms or biases: they change although their gradient is zero"
        factor = (value.abs().sum() / before[name].abs().sum()).item()
        if value.ndim > 1 and not (_equal(factor, kept) if exactly else factor < 1):
            return (
                "weight decay does not shrink the weights of convolutions and linear layers as the description states"
            )
    return ""
