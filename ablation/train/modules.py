"""Training a module that no description names, such as a rung with a layer taken out by hand, as a trial would be.

What is drawn at random is what `run` draws for the same trial, so the two can be compared seed by seed. Nothing is kept.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

import torch
from torch import nn

from .. import data as datasets
from ..design.trial import Trial
from .checkpoint import Checkpoints
from .evaluation import evaluate, make_accelerator
from .loop import Training
from .run import seeded
from .stop import StopSignal


def train_module(network: nn.Module, trial: Trial) -> tuple[tuple[float, ...], float | None]:
    """Train a network of one's own by a trial's recipe, on its data and from its seed.

    Args:
        network: takes the data's images and puts out a number a class; it is trained in place. Its weights are the caller's to
            draw. Build it under the trial's seed to begin as `run` does.
        trial: whose recipe, data and seed are used, and whose architecture is not.

    Returns:
        The mean training loss of each epoch, ending with the first that is not finite; and top-1 on the test images in percent,
        None if a loss was not finite.
    """
    data = datasets.load(trial.data)
    accelerator = make_accelerator("no")
    with seeded(trial.seed), StopSignal() as stop, tempfile.TemporaryDirectory() as nowhere:
        network = network.to(accelerator.device).to(memory_format=torch.channels_last)
        training = Training(network, trial, data, data.steps_per_epoch(trial.recipe), accelerator, 1, False)
        losses = training.run_to_end(Checkpoints(Path(nowhere)), math.inf, stop, None).losses
        if not all(map(math.isfinite, losses)):
            return losses, None
        return losses, evaluate(network, data, trial.recipe, accelerator)[0]
