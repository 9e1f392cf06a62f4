"""`ablation train`: train one network, store its outcome and print it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from .. import data as datasets
from ..design import roadmap as roads
from ..design.architecture import Architecture
from ..design.recipe import make_plan
from ..design.recipe_changes import RecipeChanges
from ..design.recipe_limits import MAX_BATCH, MAX_EPOCHS
from ..design.recipes import family
from ..design.trial import Outcome, Trial
from ..environment import MAX_LOADER_WORKERS
from ..errors import AblationError, check_number, shown
from ..study.ladder import ladder_rungs
from ..study.rows import default_label
from ..study.store import FILE, Store
from ..train.devices import announcement, check_device, check_precision, choose
from ..train.tracking import check_tracker
from ..train.trial_files import check_settings, clear_checkpoints, weights_file
from .console import make_console, say
from .epoch_lines import shown_progress
from .progress import print_scaled
from .room import check_size, check_training

if TYPE_CHECKING:
    from ..network.starting_weights import StartingWeights

# Variables that torchrun sets, with their values without it.
_GROUP = (("WORLD_SIZE", 1, 1), ("RANK", 0, 0), ("LOCAL_RANK", 0, 0))


@dataclass(frozen=True)
class TrainOptions:
    """The network to train, its recipe and its data.

    Args:
        steps, start: a road of steps and the ResNet it starts from.
        rung, model: a rung by name, or a timm model, instead of steps.
        data, recipe, seed: data set, recipe family and seed of the trial.
        precision: "auto", "fp32" (or "no"), "bf16" or "fp16".
        accumulate: number of parts in which each process handles its share of a batch.
        store: folder for the outcome, weights and checkpoints.
        changes: what differs from the recipe of the family.
        init_from: weights file to start from, or None.
        workers: processes that read image files for each training process, or None for as many as there is room for.
        compiled: train the network compiled by `torch.compile`.
        log_with: name of a tracker, or "".
        device: "auto", "cpu", "cuda" or "mps".
        validate_every: epochs after which the network is evaluated on the test images, besides the end; 0 for never.
    """

    steps: tuple[str, ...] = ()
    start: str = "resnet50"
    rung: str | None = None
    model: str | None = None
    data: str = "digits"
    recipe: str = "micro"
    seed: int = 0
    precision: str = "auto"
    accumulate: int = 1
    store: Path = Path("runs")
    changes: RecipeChanges = field(default_factory=RecipeChanges)
    init_from: Path | None = None
    workers: int | None = None
    compiled: bool = False
    log_with: str = ""
    device: str = "auto"
    validate_every: int = 0


def train(options: TrainOptions) -> None:
    """Train one network, store its outcome and print it; an outcome that the store already has is printed at once.

    If several processes train, only the main one prints.
    """
    asked = (check_device(options.device), check_precision(options.precision))
    check_number("accumulate", options.accumulate, 1, MAX_BATCH, whole=True)
    if options.workers is not None:
        check_number("workers", options.workers, 1, MAX_LOADER_WORKERS, whole=True)
    check_tracker(options.log_with)
    check_number("validate_every", options.validate_every, 0, MAX_EPOCHS, whole=True)
    devices, rank, _ = (_process_number(*variable) for variable in _GROUP)
    trial = _trial(options)
    info = datasets.info(options.data)
    if isinstance(trial.architecture, Architecture):
        check_size(options.recipe, info)
    from ..train.run import make_settings, run

    chosen = choose(*asked)
    data = datasets.load(options.data)
    if options.workers is not None and data.held_in_memory(trial.recipe) is not None:
        raise AblationError(f"--workers is for image files: those of {options.data} are held in memory")
    start = None
    if options.init_from is not None:
        from ..network.starting_weights import read_start

        start = read_start(options.init_from)
        trial = replace(trial, init=start.digest)
    plan = make_plan(trial.recipe, data.steps_per_epoch(trial.recipe, options.accumulate), devices, options.accumulate)
    check_training([trial], info, parts=devices * options.accumulate, device=chosen.device)
    console = make_console(silent=rank != 0)
    changes = f" with {options.changes}" if options.changes else ""
    heading = f"{default_label(trial)}, recipe {trial.recipe.name}{changes}, {options.data}, seed {options.seed}"
    say(console, heading)
    pair = family(options.recipe)
    print_scaled(options.changes, [pair.original if trial.recipe.name == pair.original.name else pair.modern], console)
    say(console, str(plan))

    key, file = trial.key(data.checksum), options.store / FILE
    outcome = _stored(options.store, key)
    if outcome:
        settings = {**make_settings(chosen.precision, devices, options.accumulate), "compiled": options.compiled}
        if "auto" in asked[1:]:  # what is stored was not asked for, and is taken as it is
            del settings["precision"]
        check_settings(file, {"compiled": False, **outcome.environment}, settings)
        advice = "this outcome is stored in it; another --store trains it again"
        say(console, f"{options.store} has trained this before: {advice}")
    else:
        if start is not None:
            say(console, _starts_from(trial, data, start))
        if said := announcement(*asked):
            say(console, said)
        if rank == 0:
            Store(file).close()  # so that a store that cannot be written is found before training
        try:
            with shown_progress(console) as report:
                outcome = run(
                    trial,
                    options.store,
                    precision=options.precision,
                    accumulate=options.accumulate,
                    device=options.device,
                    keep=True,
                    loader_workers=options.workers,
                    compiled=options.compiled,
                    init_from=start,
                    log_with=options.log_with,
                    validate_every=options.validate_every,
                    on_progress=report,
                )
        except KeyboardInterrupt:
            print("ablation: interrupted. A checkpoint is kept: the same command resumes from it", file=sys.stderr)
            raise
        if rank == 0:
            with Store(file) as store:
                store.record(key, trial, data.checksum, outcome)
            clear_checkpoints(options.store, key)
    if outcome.status != "done":
        raise AblationError(outcome.reason)
    say(
        console,
        f"top-1 {outcome.accuracy:.2f} % on {outcome.test_images} test images, {outcome.seconds:.1f} s, "
        f"{outcome.images_per_second:.0f} images/s",
    )


def _stored(folder: Path, key: str) -> Outcome | None:
    """Return the outcome of a trial that was completed in this folder before, if its weights are there too."""
    if not (folder / FILE).exists():
        return None
    with Store(folder / FILE, readonly=True) as store:
        outcome = store.outcomes().get(key)
    complete = outcome is not None and (
        outcome.status == "diverged" or (outcome.status == "done" and weights_file(folder, key).is_file())
    )
    return outcome if complete else None


def _starts_from(trial: Trial, data: datasets.Data, start: StartingWeights) -> str:
    """Return a line on the weights that a trial starts from; raise an `AblationError` if they do not fit its network."""
    import torch

    from ..train.initial import load_initial
    from ..train.run import make_network

    new = load_initial(make_network(trial, data, torch.device("cpu")), trial, data, start)
    return "; ".join(filter(None, (f"starts from {start.origin}", start.note, new)))


def _trial(options: TrainOptions) -> Trial:
    pair = family(options.recipe)
    if sum((bool(options.steps), options.rung is not None, options.model is not None)) > 1:
        raise AblationError("give only one of steps, --rung and --model")
    chosen: Architecture | str
    if options.model is not None:
        from .networks import timm_name

        chosen, member = f"timm:{timm_name(options.model)}", "modern"
    else:
        if options.rung is not None:
            found = roads.find(options.rung, ladder_rungs(options.recipe, options.start))
        else:
            found = roads.road(options.steps, options.start, pair.width_divisor, pair.stem_stride)[-1]
        chosen, member = found.architecture, found.recipe
    recipe = pair.original if member == "original" else pair.modern
    return Trial(chosen, options.changes.apply(recipe), options.data, options.seed)


def _process_number(name: str, default: int, least: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 6 or int(text) < least:
        raise AblationError(
            f"the environment variable {name} is {shown(text)}, but must be a whole number, {least} or more: torchrun and "
            "accelerate launch set it; without them, unset it"
        )
    return int(text)
