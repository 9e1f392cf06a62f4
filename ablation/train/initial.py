"""The weights that a trial starts from, where they are not newly initialised."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..data.about import Data
from ..design.trial import Trial
from ..errors import AblationError
from ..network.starting_weights import StartingWeights, load_start, read_start


def check_start(trial: Trial, init_from: str | Path | StartingWeights | None) -> StartingWeights | None:
    """Return the weights that a trial starts from, or None for new ones.

    Args:
        trial: the trial.
        init_from: weights file, or its contents.

    Raises:
        AblationError: if the file cannot be read, or its weights are not those of the trial's `init`.
    """
    if init_from is None:
        if trial.init:
            raise AblationError(
                f"the trial starts from the weights {trial.init}: give the file that holds them, as init_from"
            )
        return None
    start = init_from if isinstance(init_from, StartingWeights) else read_start(init_from)
    if start.digest != trial.init:
        raise AblationError(
            f"{start.origin} holds the weights {start.digest}, but the trial starts from {trial.init or 'new ones'}: make it "
            f"with Trial(..., init={start.digest!r})"
        )
    return start


def load_initial(network: nn.Module, trial: Trial, data: Data, start: StartingWeights) -> str:
    """Load the weights that a trial starts from into its network; as `load_start`, which says what it returns and raises."""
    name = trial.architecture.removeprefix("timm:") if isinstance(trial.architecture, str) else ""
    return load_start(network, start, name, data.info.size or trial.recipe.size)
