"""What one training step of a trial takes, from descriptions alone: memory and multiply-accumulates."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..data.about import DatasetInfo
from ..design.architecture import Architecture
from ..design.cost import cost
from ..design.trial import Trial

if TYPE_CHECKING:
    from torch import nn

FLOAT = 4  # bytes
# Tensors kept for the backward pass, in outputs of convolutions and linear layers: those, and the outputs of norms and
# activations. Measured on both ends of both ladders: 1.86 to 1.93.
KEPT = 1.8
TRAINING_COPIES = 4  # of the parameters: weights, gradients and the two averages of AdamW
_PASSES = 3  # forward, and the gradients with respect to inputs and to weights


def training_bytes(trial: Trial, info: DatasetInfo, parts: int = 1) -> int | None:
    """Return the memory in bytes of one training step, or None if it cannot be told for a model of timm.

    Args:
        trial: the trial.
        info: its data set.
        parts: processes times accumulated parts, into which a batch is divided.
    """
    size, images = info.size or trial.recipe.size, max(1, trial.recipe.batch_size // parts)
    if isinstance(trial.architecture, Architecture):
        counted = cost(trial.architecture, size, info.num_classes, info.in_chans)
        return int(FLOAT * (KEPT * counted.activations * images + TRAINING_COPIES * counted.params))
    return meta_bytes(lambda: _timm_on_meta(trial, info), size, images, info.in_chans)


def step_macs(trial: Trial, info: DatasetInfo) -> int | None:
    """Return the multiply-accumulates of one training step, or None if they cannot be told for a model of timm.

    Args:
        trial: the trial.
        info: its data set.
    """
    size, images = info.size or trial.recipe.size, trial.recipe.batch_size
    if isinstance(trial.architecture, Architecture):
        return _PASSES * images * cost(trial.architecture, size, info.num_classes, info.in_chans).macs
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    try:
        with warnings.catch_warnings(), torch.no_grad(), FlopCounterMode(display=False) as counter:
            warnings.simplefilter("ignore")  # those of the real run are the ones to show
            _timm_on_meta(trial, info).eval()(torch.zeros(1, info.in_chans, size, size, device="meta"))
        return _PASSES * images * int(counter.get_total_flops()) // 2
    except Exception:  # models raise many kinds of exceptions; the real run will tell
        return None


def meta_bytes(make: Callable[[], nn.Module], size: int, images: int, in_chans: int) -> int | None:
    """Return the memory in bytes of a training step, from a run without memory; None where a model cannot run that way.

    Args:
        make: returns the module, with parameters on the meta device.
        size: side of the images in pixels.
        images: number of images.
        in_chans: channels of the images.
    """
    from ..measure.memory import training_memory

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # those of the real run are the ones to show
            return training_memory(make(), size, images, in_chans).total
    except Exception:  # models raise many kinds of exceptions; the real run will tell
        return None


def _timm_on_meta(trial: Trial, info: DatasetInfo) -> nn.Module:
    """Return the timm model of a trial with shapes but without memory."""
    import torch

    from ..network.timm_creation import create_timm

    name, size = str(trial.architecture).removeprefix("timm:"), info.size or trial.recipe.size
    with torch.device("meta"):
        return create_timm(name, size=size, num_classes=info.num_classes, in_chans=info.in_chans)
