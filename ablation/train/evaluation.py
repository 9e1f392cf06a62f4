"""Evaluation of a network on the test images of a data set, in one or more processes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState
from torch import nn
from torch.nn import functional as F

from ..data.about import Data
from ..design.recipe import Recipe
from .arithmetic import float32_products
from .devices import choose_device, stored_precision


def evaluate(
    network: nn.Module,
    data: Data,
    recipe: Recipe,
    accelerator: Accelerator | None = None,
    logits_of: Sequence[int] | None = None,
    workers: int | None = None,
) -> tuple[float, float, int]:
    """Evaluate a network on all test images, each exactly once, in float32 without TF32, so that the device matters little.

    Args:
        network: the network.
        data: the data set.
        recipe: how the images are prepared.
        accelerator: the devices and processes; by default this process.
        logits_of: index of the logit of each class, where the network has them in another order than the data.
        workers: processes that read image files; None for as many as cores and memory allow.

    Returns:
        Top-1 accuracy in percent, mean cross-entropy, and the number of images.
    """
    accelerator = accelerator or make_accelerator()
    network.to(accelerator.device).eval()
    # Summed on the CPU, since MPS has no float64: correct, loss, images. A float32 sum would depend on how the images are
    # split into batches and between processes.
    totals = torch.zeros(3, dtype=torch.float64)
    with torch.inference_mode(), float32_products(accelerator.device, tf32=False):
        rank, world = accelerator.process_index, accelerator.num_processes
        for images, labels in data.test_batches(recipe, rank, world, device=accelerator.device, workers=workers):
            logits = network(images.contiguous(memory_format=torch.channels_last)).float().cpu()
            labels = labels.cpu()
            if logits_of is not None:
                logits = logits[:, list(logits_of)]
            correct = (logits.argmax(1) == labels).sum()
            loss = F.cross_entropy(logits.double(), labels, reduction="sum")
            totals += torch.stack([correct.double(), loss, totals.new_tensor(len(labels))])
    if accelerator.num_processes > 1:
        totals = accelerator.reduce(totals.to(accelerator.device), "sum")
    correct, loss, images = totals.tolist()
    return 100 * correct / images, loss / images, int(images)


def make_accelerator(precision: str = "fp32", device: str = "auto") -> Accelerator:
    """Return an Accelerator for a device and the processes of this group.

    Args:
        precision: "fp32" or "no", or "bf16" or "fp16" for mixed precision.
        device: a name in `devices.DEVICES`.

    Raises:
        AblationError: if this machine does not have the device.
    """
    kind = choose_device(device).type
    # An earlier trial in this process may have used another precision or device.
    used = PartialState._shared_state.get("device")
    AcceleratorState._reset_state(reset_partial_state=used is not None and used.type != kind)
    precision = "no" if stored_precision(precision) == "fp32" else precision
    # Without cpu=True, torchrun on CPUs creates no process group. Accelerate chooses between the other devices as we do.
    return Accelerator(cpu=kind == "cpu", mixed_precision=precision)
