"""`ablation train`: train one network and print its outcome."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from .. import data as datasets
from ..design import roadmap as roads
from ..design.architecture import Architecture
from ..design.recipe import make_plan
from ..design.recipes import family
from ..design.trial import Trial
from ..errors import AblationError
from ..study.ladder import ladder_rungs
from ..study.store import default_label


@dataclass(frozen=True)
class TrainOptions:
    """The network to train, its recipe and its data.

    Args:
        steps, start: a road of steps and the ResNet it starts from.
        rung, model: a rung by name, or a timm model, instead of steps.
        data, recipe, seed: data set, recipe family and seed of the trial.
        precision: "no" (float32) or "bf16".
        accumulate: number of parts in which each process handles its share of a batch.
        store: folder for weights and checkpoints.
    """

    steps: tuple[str, ...] = ()
    start: str = "resnet50"
    rung: str | None = None
    model: str | None = None
    data: str = "digits"
    recipe: str = "micro"
    seed: int = 0
    precision: str = "no"
    accumulate: int = 1
    store: Path = Path("runs")


def train(options: TrainOptions) -> None:
    """Train one network and print its outcome. If several processes train, only the main one prints."""
    trial = _trial(options)
    datasets.info(options.data)
    from ..train.run import run

    devices = int(os.environ.get("WORLD_SIZE", "1"))
    steps_per_epoch = datasets.load(options.data).steps_per_epoch(trial.recipe)
    plan = make_plan(trial.recipe, steps_per_epoch, devices, options.accumulate)
    is_main = os.environ.get("RANK", "0") == "0"
    console = Console(file=sys.stdout if is_main else io.StringIO())
    heading = f"{default_label(trial)}, recipe {trial.recipe.name}, {options.data}, seed {options.seed}"
    console.print(heading, soft_wrap=True)
    console.print(str(plan), soft_wrap=True, highlight=False)

    def report(epoch: int, epochs: int, loss: float) -> None:
        console.print(f"epoch {epoch}/{epochs}  training loss {loss:.4f}", highlight=False)

    try:
        outcome = run(trial, options.store, report, options.precision, options.accumulate)
    except KeyboardInterrupt:
        print("ablation: interrupted. A checkpoint is kept: the same command resumes from it", file=sys.stderr)
        raise
    if outcome.status != "done":
        raise AblationError(outcome.reason)
    console.print(
        f"top-1 {outcome.accuracy:.2f} % on {outcome.test_images} test images, {outcome.seconds:.1f} s, "
        f"{outcome.images_per_second:.0f} images/s",
        highlight=False,
    )


def _trial(options: TrainOptions) -> Trial:
    pair = family(options.recipe)
    if sum(map(bool, (options.steps, options.rung, options.model))) > 1:
        raise AblationError("give only one of steps, --rung and --model")
    chosen: Architecture | str
    if options.model:
        from .networks import timm_name

        chosen, member = f"timm:{timm_name(options.model)}", "modern"
    else:
        if options.rung:
            found = roads.find(options.rung, ladder_rungs(options.recipe, options.start))
        else:
            found = roads.road(options.steps, options.start, pair.width_divisor, pair.stem_stride)[-1]
        chosen, member = found.architecture, found.recipe
    return Trial(chosen, pair.original if member == "original" else pair.modern, options.data, options.seed)
