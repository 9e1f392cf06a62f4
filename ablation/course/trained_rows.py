"""Six rows of the ladder, trained on photographs, whose weights ship with the notebooks.

`python -m ablation.course.trained_rows IMAGES`, in the folder of the notebooks, trains them anew on a folder of images with
`train/` and `test/`; on 10,000 images of CIFAR-10 that takes an hour of one core.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pandas as pd

from .. import data as datasets
from ..design.recipe import Recipe
from ..design.recipe_changes import with_epochs
from ..design.recipes import family
from ..design.roadmap import roadmap
from ..design.trial import Trial
from ..errors import AblationError
from ..files import write_atomically
from ..network.build import ConvNet
from ..network.weights import load_weights, save_weights
from ..study.engines import Engine
from ..study.study import Study
from ..train.run import weights_file
from .results import RUNS, STORED

ROWS = (
    "enhanced_recipe",
    "patchify_stem",
    "inverted_bottleneck",
    "kernel_size_7",
    "layer_norm",
    "strided_downsampling",
)
WIDTH_DIVISOR = 8  # half-precision weights of a row are then less than a megabyte
TABLE = "trained-rows.csv"
_FOLDER = "trained-rows"


def row_trials(images: str, epochs: int | None = None) -> dict[str, Trial]:
    """Return the trial of each row: the modern recipe for 32 x 32 photographs, seed 0.

    The initial weights are multiplied by the root of the width divisor, so that each layer passes on as much of the signal as
    at full width.

    Args:
        images: name of a data set, such as "imagefolder:cifar10#10000".
        epochs: passes over the images; by default those of the recipe. Warm-up is scaled in proportion.
    """
    scale = family("small32")
    recipe: Recipe = scale.modern.replace(init_gain=math.sqrt(WIDTH_DIVISOR))
    if epochs is not None:
        recipe = with_epochs(recipe, epochs)
    rungs = {rung.name: rung for rung in roadmap("resnet50", WIDTH_DIVISOR, scale.stem_stride)}
    return {name: Trial(rungs[name].architecture, recipe, images, seed=0) for name in ROWS}


def train_rows(images: str, epochs: int | None = None, engine: str | Engine = "local") -> pd.DataFrame:
    """Train the rows that have no result yet; write their weights, in half precision, and a table of their accuracies.

    Args: `images` and `epochs` as for `row_trials`, `engine` as for `Study`. The files go to `stored/` in the current folder.

    Returns:
        A row per network: rung, seed, accuracy (%), train_loss, epochs, params, data and environment.

    Raises:
        AblationError: if the images cannot be read or a trial fails.
    """
    trials = row_trials(images, epochs)
    study = Study({trial: name for name, trial in trials.items()}, RUNS, engine)
    outcomes = study.run()
    checksum = datasets.load(images).checksum
    rows = []
    for name, trial in trials.items():
        if trial not in outcomes or outcomes[trial].status != "done":
            reason = study.failed()[trial].reason if trial in study.failed() else "it diverged"
            raise AblationError(f"row {name} was not trained: {reason}")
        network = load_weights(weights_file(RUNS, trial.key(checksum)))
        save_weights(network.half(), STORED / _FOLDER / f"{name}.safetensors")
        outcome = outcomes[trial]
        found = {"accuracy": outcome.accuracy, "train_loss": outcome.train_losses[-1], "epochs": trial.recipe.epochs}
        rows.append({"rung": name, "seed": 0, **found, "params": outcome.params, "data": images, **outcome.environment})
    table = pd.DataFrame(rows)
    write_atomically(STORED / TABLE, table.to_csv(index=False))
    return table


def trained_rows() -> dict[str, ConvNet]:
    """Return the six trained networks by rung, in evaluation mode, from `stored/` in the current folder.

    Raises:
        AblationError: if a file of weights is missing or damaged.
    """
    return {name: load_weights(STORED / _FOLDER / f"{name}.safetensors").eval() for name in ROWS}


if __name__ == "__main__":
    print(train_rows(f"imagefolder:{Path(sys.argv[1])}#10000").to_string(index=False))
