"""Score one network on the test images of a data set: a rung that was trained here, a model of timm, a published checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from ..errors import AblationError
from ..study import data as datasets
from ..study.recipe import family
from .networks import one_network


def evaluate_network(model: str | None, weights: Path | None, pretrained: bool, data: str, recipe: str) -> None:
    """Score a network, each test image once, on images of the size and the normalisation that it was trained with."""
    about, chosen = datasets.about(data), family(recipe).modern
    name, network = one_network(model, weights, pretrained)
    images: dict[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    channels = getattr(network, "in_chans", None) or images.get("input_size", (about.in_chans,))[0]
    classes = getattr(network, "num_classes", about.num_classes)
    if (classes, channels) != (about.num_classes, about.in_chans):
        raise AblationError(
            f"{weights or name} is for {classes} classes and {channels} channels, but {data} has "
            f"{about.num_classes} and {about.in_chans}"
        )
    if images and about.size is None:
        chosen = chosen.replace(
            size=images["input_size"][-1],
            crop_pct=images.get("crop_pct") or chosen.crop_pct,
            interpolation=images.get("interpolation") or chosen.interpolation,
        )
    _check_size(network, about.size or chosen.size)
    from ..study.evaluation import evaluate

    tested = datasets.load(data)
    if images and (own := (tuple(images["mean"]), tuple(images["std"]))) != (tested.mean, tested.std):
        tested = tested.normalised_by(*own)
    accuracy, loss, count = evaluate(network, tested, chosen)
    print(
        f"{name}: top-1 {accuracy:.2f} %, cross entropy {loss:.4f}, {count} test images of {about.size or chosen.size} px"
    )


def _check_size(network: nn.Module, size: int) -> None:
    """Our networks say the smallest image they can take."""
    architecture = getattr(network, "architecture", None)
    if architecture is not None:
        architecture.sizes(size)
