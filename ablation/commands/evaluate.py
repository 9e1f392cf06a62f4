"""`ablation evaluate`: score a network on the test images of a data set."""

from __future__ import annotations

from typing import Any

from torch import nn

from .. import data as datasets
from ..design.recipes import family
from ..errors import AblationError
from .networks import load_network
from .options import NetworkOptions


def evaluate(network_options: NetworkOptions, data: str, recipe: str) -> None:
    """Score a network on each test image once, at the image size and with the normalisation that it was trained with."""
    info, chosen = datasets.info(data), family(recipe).modern
    name, network = load_network(network_options)
    images: dict[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    channels = getattr(network, "in_chans", None) or images.get("input_size", (info.in_chans,))[0]
    classes = getattr(network, "num_classes", info.num_classes)
    if (classes, channels) != (info.num_classes, info.in_chans):
        raise AblationError(
            f"{network_options.weights or name} has {classes} classes and {channels} channels, but {data} has "
            f"{info.num_classes} and {info.in_chans}"
        )
    if images and info.size is None:
        chosen = chosen.replace(
            size=images["input_size"][-1],
            crop_pct=images.get("crop_pct") or chosen.crop_pct,
            interpolation=images.get("interpolation") or chosen.interpolation,
        )
    size = info.size or chosen.size
    _check_size(network, size)
    from ..train.evaluation import evaluate as score

    loaded = datasets.load(data)
    if images and (own := (tuple(images["mean"]), tuple(images["std"]))) != (loaded.mean, loaded.std):
        loaded = loaded.normalised_by(*own)
    accuracy, loss, count = score(network, loaded, chosen)
    print(f"{name}: top-1 {accuracy:.2f} %, cross entropy {loss:.4f}, {count} test images of {size} px")


def _check_size(network: nn.Module, size: int) -> None:
    """Raise the error of our own networks for images that are too small."""
    architecture = getattr(network, "architecture", None)
    if architecture is not None:
        architecture.sizes(size)
