"""Training of a custom module, such as a rung with one layer removed, in the same way as a trial.

The random draws are the same as those of `run` for the same trial, so results can be compared seed by seed. Nothing is saved.
"""

from __future__ import annotations

import math
import tempfile
from pathlib import Path

from torch import nn

from .. import data as datasets
from ..design.trial import Trial
from .checkpoint import Checkpoints
from .devices import choose
from .evaluation import evaluate, make_accelerator
from .loop import Training
from .run import seeded
from .stop import StopSignal
from .tuning import fast_training, settle_layout


def train_module(
    network: nn.Module, trial: Trial, precision: str = "auto", device: str = "auto"
) -> tuple[tuple[float, ...], float | None]:
    """Train a custom network with a trial's recipe, data and seed.

    Args:
        network: takes the images of the data set and returns one logit per class. It is trained in place. The caller initialises
            its weights; to start from the same weights as `run`, build it under the trial's seed.
        trial: provides the recipe, data and seed; its architecture is not used.
        precision, device: as for `run`.

    Returns:
        The mean training loss of each epoch, ending with the first that is not finite, and the top-1 accuracy on the test images
        in percent, or None if a loss was not finite.
    """
    data = datasets.load(trial.data)
    steps = data.steps_per_epoch(trial.recipe)
    choice = choose(device, precision)
    accelerator = make_accelerator(choice.precision, choice.device)
    with seeded(trial.seed), StopSignal() as stop, tempfile.TemporaryDirectory() as temporary:
        network = network.to(accelerator.device)
        layout = settle_layout(None, network, trial, data, accelerator, 1)
        with fast_training(layout, accelerator.device) as memory_format:
            training = Training(network, trial, data, steps, accelerator, 1, False, memory_format=memory_format)
            losses = training.run_to_end(Checkpoints(Path(temporary)), math.inf, stop, None).losses
        if not all(map(math.isfinite, losses)):
            return losses, None
        return losses, evaluate(training.final_network(), data, trial.recipe, accelerator)[0]
