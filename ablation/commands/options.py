"""Options that several commands share, as dataclasses. Each is valid once it is made, also when Python code makes it.

The bounds are far beyond what is sensible; they exclude typing errors that would fill the memory or never end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..design.recipe_changes import RecipeChanges
from ..design.recipe_limits import MAX_BATCH, MAX_SIZE
from ..design.recipes import Family, family
from ..design.trial import MAX_SEEDS
from ..environment import free_memory
from ..errors import AblationError, check_number, shown, unknown
from ..train.devices import check_device, check_precision

MAX_LABEL = 200  # characters; a longer one leaves no room for a table
MAX_WORKERS = 10_000  # on a cluster; on this machine, memory sets the limit
WORKER_BYTES = 400_000_000  # of a worker before it has data: Python, torch and timm (measured on Linux, November 2026)
STEPS, MEMORY_FORMATS, PRECISIONS = ("forward", "training"), ("NCHW", "channels-last"), ("fp32", "bf16")


@dataclass(frozen=True)
class StudyOptions:
    """How a study of several networks is run and where its results are written.

    Args:
        data: name of the data set.
        recipe: name of the recipe family.
        seeds: number of seeds per network.
        start: "resnet50" or "resnet200".
        label: name of the data in tables and figures; by default, that of the data set.
        out: folder for figures and tables.
        store: folder that keeps outcomes and weights.
        workers: trials at a time, or None for as many as there is room for.
        engine: "local" or "ray".
        engine_options: options of the engine, by name.
        changes: what differs from the recipes of the family, in both alike.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "fp32", "bf16" or "fp16".
        rates: file of `ablation rates --every-row` from which a ladder takes the learning rate of each row, or None.

    Raises:
        AblationError: if a choice does not exist, a number is out of its bounds, or this machine has no memory for so many
            workers.
    """

    data: str
    recipe: str
    seeds: int = 1
    start: str = "resnet50"
    label: str = ""
    out: Path = Path("figures")
    store: Path = Path("runs")
    workers: int | None = None
    engine: str = "local"
    engine_options: dict[str, Any] = field(default_factory=dict)
    changes: RecipeChanges = field(default_factory=RecipeChanges)
    device: str = "auto"
    precision: str = "auto"
    rates: Path | None = None

    def __post_init__(self) -> None:
        check_number("seeds", self.seeds, 1, MAX_SEEDS, whole=True, reason=": it is the number of seeds per network")
        if len(self.label) > MAX_LABEL:
            raise AblationError(f"label {shown(self.label)} must have {MAX_LABEL} characters or less")
        check_device(self.device)
        check_precision(self.precision)
        if self.workers is not None:
            check_number("workers", self.workers, 1, MAX_WORKERS, whole=True)
            if self.engine == "local":
                _check_room(self.workers)

    @property
    def data_title(self) -> str:
        """Name of the data in tables and figures."""
        return self.label or self.data

    @property
    def run_options(self) -> dict[str, str]:
        """Options of `run` that were given: a study without any, and without missing trials, needs no torch."""
        return {name: value for name in ("device", "precision") if (value := getattr(self, name)) != "auto"}

    @property
    def recipes(self) -> Family:
        """The recipe family with its changes; raises an `AblationError` if there is no such family, or it cannot have them."""
        return self.changes.apply_to_family(family(self.recipe))

    @property
    def recipe_title(self) -> str:
        """Name of the recipe family in headings, with what was changed."""
        return f"{self.recipe} with {self.changes}" if self.changes else self.recipe

    def file_label(self, label: str) -> str:
        """Return part of a file name with what was changed, so that no figure of the unchanged family is overwritten."""
        changes = str(self.changes).replace(", ", "-").replace(" ", "-").replace("_", "-")
        return f"{label}-{changes}" if changes else label


@dataclass(frozen=True)
class NetworkOptions:
    """A single network given on the command line.

    Args:
        model: name of a timm model, with or without "timm:" in front, or None.
        weights: weights file written by ablation or, with `model`, a state dict of that model.
        pretrained: download timm's weights for `model`.
        averaged: whether to take averaged (EMA) weights where the file holds averaged and raw ones.

    Raises:
        AblationError: if the options contradict each other.
    """

    model: str | None = None
    weights: Path | None = None
    pretrained: bool = False
    averaged: bool = True

    def __post_init__(self) -> None:
        if self.model is not None and not self.model.strip():
            raise AblationError("--model '' names no model: give one of timm.list_models()")
        if self.pretrained and self.model is None:
            raise AblationError("--pretrained needs --model NAME: only timm's models have weights to download")
        if self.pretrained and self.weights is not None:
            raise AblationError("give --weights FILE or --pretrained, not both: a network has one set of weights")


@dataclass(frozen=True)
class TimingOptions:
    """How networks are timed.

    Args:
        size: side of the images in pixels.
        batch: images per timed call.
        step: "forward" or "training".
        memory_format: "NCHW" or "channels-last".
        precision: "fp32" or "bf16".
        compiled: time through `torch.compile`.

    Raises:
        AblationError: if a choice does not exist or a number is out of its bounds.
    """

    size: int = 224
    batch: int = 8
    step: str = "forward"
    memory_format: str = "channels-last"
    precision: str = "fp32"
    compiled: bool = False

    def __post_init__(self) -> None:
        check_number("size", self.size, 1, MAX_SIZE, whole=True, reason=": it is the side of the images in pixels")
        check_number("batch", self.batch, 1, MAX_BATCH, whole=True, reason=": it is the number of images per call")
        for name, possible in (("step", STEPS), ("memory_format", MEMORY_FORMATS), ("precision", PRECISIONS)):
            if getattr(self, name) not in possible:
                raise unknown(name, getattr(self, name), possible)


def recipe_changes(
    epochs: int | None,
    lr: float | None,
    batch_size: int | None,
    drop_path: float | None,
    ema: float | None,
    init_gain: float | None,
) -> RecipeChanges:
    """Return the changes of a recipe that the command line gives; see `RecipeChanges`."""
    return RecipeChanges(epochs, lr, batch_size, drop_path, ema, init_gain)


def _check_room(workers: int) -> None:
    available = free_memory()
    if workers > 1 and workers * WORKER_BYTES > available:
        raise AblationError(
            f"workers {workers} need {workers * WORKER_BYTES / 1e9:,.1f} GB of memory, of which {available / 1e9:.1f} GB are "
            f"available: at most {max(1, available // WORKER_BYTES)} fit; by default there is one per core, or a few per GPU"
        )
