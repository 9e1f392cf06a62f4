"""`ablation evaluate`: evaluate a network on the test images of a data set."""

from __future__ import annotations

from typing import Any

from torch import nn

from .. import data as datasets
from ..design.recipes import family
from ..errors import AblationError
from .networks import load_network
from .options import NetworkOptions


def evaluate(network_options: NetworkOptions, data: str, recipe: str) -> None:
    """Evaluate a network on the test images, with the image size and normalisation that it was trained with."""
    info, chosen = datasets.info(data), family(recipe).modern
    name, network = load_network(network_options)
    cfg: dict[str, Any] = getattr(network, "pretrained_cfg", None) or {}
    channels = getattr(network, "in_chans", None) or cfg.get("input_size", (info.in_chans,))[0]
    classes = getattr(network, "num_classes", info.num_classes)
    if (classes, channels) != (info.num_classes, info.in_chans):
        raise AblationError(
            f"{network_options.weights or name} has {classes} classes and {channels} channels, but {data} has "
            f"{info.num_classes} and {info.in_chans}"
        )
    if cfg and info.size is None:
        chosen = chosen.replace(
            size=cfg["input_size"][-1],
            crop_pct=cfg.get("crop_pct") or chosen.crop_pct,
            interpolation=cfg.get("interpolation") or chosen.interpolation,
        )
    size = info.size or chosen.size
    _check_size(network, size)
    from ..train.evaluation import evaluate as evaluate_network

    loaded = datasets.load(data)
    if cfg.get("crop_pct"):  # a configuration of timm, whose pixels are timm's
        loaded = loaded.evaluated_as(cfg)
    elif cfg and (statistics := (tuple(cfg["mean"]), tuple(cfg["std"]))) != (loaded.mean, loaded.std):
        loaded = loaded.normalised_by(*statistics)
    accuracy, loss, count = evaluate_network(network, loaded, chosen)
    print(f"{name}: top-1 {accuracy:.2f} %, cross entropy {loss:.4f}, {count} test images of {size} px")


def _check_size(network: nn.Module, size: int) -> None:
    """Raise an `AblationError` if the images are too small for one of our own networks."""
    architecture = getattr(network, "architecture", None)
    if architecture is not None:
        architecture.sizes(size)
