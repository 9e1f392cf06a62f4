"""`ablation evaluate`: evaluate a network on the test images of a data set."""

from __future__ import annotations

from typing import Any

from torch import nn

from .. import data as datasets
from ..data.class_order import CLASS_ORDERS, sort_classes
from ..design.recipes import family
from ..errors import AblationError, unknown
from ..train.devices import choose_device
from .class_names import match_classes
from .console import make_console, say
from .networks import load_network
from .options import NetworkOptions


def evaluate(
    network_options: NetworkOptions, data: str, recipe: str, class_order: str | None = None, device: str = "auto"
) -> None:
    """Evaluate a network on the test images, with the image size and normalisation that it was trained with.

    Args:
        network_options: the network.
        data: name of the data set.
        recipe: name of the recipe family.
        class_order: order in which the class folders are labelled, "torchvision" or "timm". By default, classes are matched by
            name where the weights name them, and torchvision's order is taken where they do not.
        device: "auto", "cpu", "cuda" or "mps".

    Raises:
        AblationError: if the network does not fit the data, or this machine does not have the device.
    """
    if class_order not in (None, *CLASS_ORDERS):
        raise unknown("value of --class-order:", class_order, CLASS_ORDERS)
    choose_device(device)
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
    if cfg.get("input_size") and info.size is None:
        chosen = chosen.replace(size=cfg["input_size"][-1])
    size = info.size or chosen.size
    _check_size(network, size)
    from ..train.evaluation import evaluate as evaluate_network
    from ..train.evaluation import make_accelerator

    loaded = datasets.load(data, class_order or CLASS_ORDERS[0])
    console, source = make_console(), str(network_options.weights or name)
    if len(cfg.get("mean") or ()) not in (0, info.in_chans):
        say(
            console,
            f"the images are normalised as those of {data}, since {source} says how for {len(cfg['mean'])} channels",
        )
    elif cfg.get("crop_pct"):  # a configuration of timm, whose pixels are timm's
        loaded = loaded.evaluated_as(cfg)
    elif cfg.get("mean") and (statistics := (tuple(cfg["mean"]), tuple(cfg["std"]))) != (loaded.mean, loaded.std):
        loaded = loaded.normalised_by(*statistics)
    logits_of, note = _logits_of(cfg, loaded, class_order, source)
    if note:
        say(console, note)
    accuracy, loss, count = evaluate_network(network, loaded, chosen, make_accelerator(device=device), logits_of)
    say(console, f"{name}: top-1 {accuracy:.2f} %, cross entropy {loss:.4f}, {count} test images of {size} px")


def _logits_of(
    cfg: dict[str, Any], loaded: datasets.Data, class_order: str | None, weights: str
) -> tuple[list[int] | None, str]:
    """Return the logit of each class, or None if they are in the order of the labels, and a note on how that is known."""
    names = cfg.get("label_names")
    if names and class_order is None:
        order = match_classes(names, loaded.classes, weights)
        return (None, "") if order == list(range(len(order))) else (order, "classes are matched by name")
    if not _is_folder(loaded):
        return None, ""
    used = class_order or CLASS_ORDERS[0]
    note = f"{weights} does not name its classes: the folders are taken in {used}'s order" if not names else ""
    if loaded.orders_differ:
        shown = {order: ", ".join(sort_classes(loaded.classes, order)[:4]) for order in CLASS_ORDERS}
        (other,) = {*CLASS_ORDERS} - {used}
        note = note or f"the class folders are taken in {used}'s order"
        note += (
            f" ({shown[used]}, ...). It differs from {other}'s ({shown[other]}, ...): if the network was trained with "
        )
        note += f"that, give --class-order {other}"
    return None, note


def _is_folder(loaded: datasets.Data) -> bool:
    from ..data.folder import Folder

    return isinstance(loaded, Folder)


def _check_size(network: nn.Module, size: int) -> None:
    """Raise an `AblationError` if the images are too small for one of our own networks."""
    architecture = getattr(network, "architecture", None)
    if architecture is not None:
        architecture.sizes(size)
