"""Load the networks named on the command line: a ladder or a road of steps, a timm model, or a weights file."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import nn

from ..design import roadmap as roads
from ..design.roadmap import Rung
from ..errors import AblationError
from .options import NetworkOptions


def load_network(options: NetworkOptions, size: int | None = None) -> tuple[str, nn.Module]:
    """Return the label of a network and the network, loaded by name or file.

    Args:
        options: the network to load.
        size: side of the images in pixels, for models that are built for one size.

    Raises:
        AblationError: if there is no such model (the nearest name is offered), or the weights cannot be loaded.
    """
    if options.model is None:
        if options.weights is None:
            raise AblationError("give --weights FILE or --model NAME")
        from ..network import load_weights

        return options.weights.stem, load_weights(options.weights)
    name = timm_name(options.model)
    return name, _timm_model(name, options.weights, options.pretrained, size)


def timm_name(name: str) -> str:
    """Return the name of a timm model without "timm:" in front.

    Raises:
        AblationError: if there is no such model; the nearest name is offered.
    """
    import timm

    from .. import network as _network  # noqa: F401  registers every rung with timm

    name = name.removeprefix("timm:")
    if not timm.is_model(name):
        near = get_close_matches(name.partition(".")[0], timm.list_models(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise AblationError(f"timm has no model {name!r}{hint} Possible: the names of timm.list_models()")
    return name


def _timm_model(name: str, weights: Path | None, pretrained: bool, size: int | None) -> nn.Module:
    import timm

    from ..network.weights import images_of, read_state_dict

    options: dict[str, Any] = {}
    cfg = timm.get_pretrained_cfg(name)
    if size is not None and cfg is not None and cfg.fixed_input_size:
        options["img_size"] = size
    state = read_state_dict(weights) if weights is not None else None
    if state is not None and cfg is not None:  # weights trained on another data set have other shapes
        for option, layer, axis in (("num_classes", cfg.classifier, 0), ("in_chans", cfg.first_conv, 1)):
            weight = state.get(f"{layer}.weight")
            if weight is not None:
                options[option] = weight.shape[axis]
    try:
        model: nn.Module = timm.create_model(name, pretrained=pretrained and state is None, **options)
        if weights is not None and state is not None:
            model.load_state_dict(state)
            images: dict[str, Any] = {**model.pretrained_cfg, **images_of(weights)}  # type: ignore[dict-item]
            model.pretrained_cfg = images  # type: ignore[assignment]
    except Exception as error:  # hubs and models raise many kinds of exceptions
        message = (str(error).splitlines() or ["no message"])[0]
        remedy = (
            "the weights belong to another model"
            if state is not None
            else "where no hub can be reached, give --weights FILE"
        )
        raise AblationError(f"timm could not create {name!r} ({type(error).__name__}: {message}): {remedy}") from error
    return model


def rungs_of(steps: Sequence[str], start: str) -> tuple[Rung, ...]:
    """Return the ladder from a ResNet, each architecture once, or the road of the given steps."""
    if steps:
        return roads.road(steps, start)
    first: dict[Any, Rung] = {}
    for rung in roads.roadmap(start):
        if rung.recipe == "original":
            continue  # the same network as the next row, trained with another recipe
        first.setdefault(rung.architecture, rung)
    return tuple(first.values())


def road_label(steps: Sequence[str], start: str) -> str:
    """Return the part of a file name that stands for a ladder or a road of steps."""
    return f"{start}-{'-'.join(steps)}".replace("=", "-") if steps else start


def short_title(rung: Rung) -> str:
    """Return a rung's title without its recipe, where only the network matters."""
    return rung.title.removesuffix(" (enhanced recipe)")
