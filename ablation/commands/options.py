"""Options that several commands share, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import AblationError


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

    Raises:
        AblationError: if workers is not positive.
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

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise AblationError(f"workers {self.workers} must be 1 or more")

    @property
    def data_title(self) -> str:
        """Name of the data in tables and figures."""
        return self.label or self.data


@dataclass(frozen=True)
class NetworkOptions:
    """A single network given on the command line.

    Args:
        model: name of a timm model, with or without "timm:" in front, or None.
        weights: weights file written by ablation or, with `model`, a state dict of that model.
        pretrained: download timm's weights for `model`.
        averaged: whether to take averaged (EMA) weights where the file holds averaged and raw ones.
    """

    model: str | None = None
    weights: Path | None = None
    pretrained: bool = False
    averaged: bool = True


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
    """

    size: int = 224
    batch: int = 8
    step: str = "forward"
    memory_format: str = "channels-last"
    precision: str = "fp32"
    compiled: bool = False
