"""Load the networks named on the command line: a ladder or a road of steps, a timm model, or a weights file."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from torch import nn

from ..design import roadmap as roads
from ..design.roadmap import Rung
from ..errors import AblationError
from .console import fit_name, make_console, say
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

        return fit_name(options.weights.stem), load_weights(options.weights)
    from ..network.timm_creation import create_timm, load_timm

    name = timm_name(options.model)
    if options.weights is None:
        return name, create_timm(name, options.pretrained, size=size)
    module, contents = load_timm(name, options.weights, options.averaged, size)
    if contents.note:
        say(make_console(), f"note: {contents.note}")
    return name, module


def timm_name(name: str) -> str:
    """Return the name of a timm model without "timm:" in front.

    Raises:
        AblationError: if there is no such model, or no such tag of its weights; the nearest name is offered.
    """
    import timm

    from .. import network as _network  # noqa: F401  registers every rung with timm

    name = name.removeprefix("timm:")
    base, _, tag = name.partition(".")
    if not timm.is_model(name):
        near = get_close_matches(base, timm.list_models(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise AblationError(f"timm has no model {name!r}{hint} Possible: the names of timm.list_models()")
    if tag:
        tagged = timm.list_models(f"{base}.*", pretrained=True)
        if name not in tagged:
            near = get_close_matches(name, tagged, n=1, cutoff=0.0)
            hint = f"; did you mean {near[0]!r}? Possible: {', '.join(tagged)}" if near else f", only {base!r}"
            raise AblationError(f"timm has no weights {tag!r} of {base}{hint}")
    return name


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
    return fit_name(f"{start}-{'-'.join(steps)}".replace("=", "-")) if steps else start


def short_title(rung: Rung) -> str:
    """Return a rung's title without its recipe, where only the network matters."""
    return rung.title.removesuffix(" (enhanced recipe)")
