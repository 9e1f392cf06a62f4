"""Evaluation of a network on the test images of a data set, in one or more processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.nn import functional as F

from ..data.about import Data
from ..design.recipe import Recipe


def evaluate(
    network: nn.Module,
    data: Data,
    recipe: Recipe,
    accelerator: Accelerator | None = None,
    logits_of: Sequence[int] | None = None,
    workers: int | None = None,
) -> tuple[float, float, int]:
    """Evaluate a network on all test images, each exactly once, in float32.

    Args:
        network: the network.
        data: the data set.
        recipe: how the images are prepared.
        accelerator: the devices and processes; by default this process in float32.
        logits_of: index of the logit of each class, where the network has them in another order than the data.
        workers: processes that read image files; None for as many as cores and memory allow.

    Returns:
        Top-1 accuracy in percent, mean cross-entropy, and the number of images.
    """
    accelerator = accelerator or make_accelerator("no")
    network.to(accelerator.device).eval()
    # Summed on the CPU, since MPS has no float64: correct, loss, images. A float32 sum would depend on how the images are
    # split into batches and between processes.
    totals = torch.zeros(3, dtype=torch.float64)
    with torch.inference_mode():
        rank, world = accelerator.process_index, accelerator.num_processes
        for images, labels in data.test_batches(recipe, rank, world, workers=workers):
            images = images.to(accelerator.device)
            logits = network(images.contiguous(memory_format=torch.channels_last)).float().cpu()
            if logits_of is not None:
                logits = logits[:, list(logits_of)]
            correct = (logits.argmax(1) == labels).sum()
            loss = F.cross_entropy(logits.double(), labels, reduction="sum")
            totals += torch.stack([correct.double(), loss, totals.new_tensor(len(labels))])
    if accelerator.num_processes > 1:
        totals = accelerator.reduce(totals.to(accelerator.device), "sum")
    correct, loss, images = totals.tolist()
    return 100 * correct / images, loss / images, int(images)


def make_accelerator(precision: str) -> Accelerator:
    """Return an Accelerator for the available devices and processes; "no" is float32, "bf16" is mixed precision."""
    AcceleratorState._reset_state()  # an earlier trial in this process may have used another precision
    only_cpu = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    return Accelerator(
        cpu=only_cpu, mixed_precision=precision
    )  # without cpu=True, torchrun on CPUs creates no process group
