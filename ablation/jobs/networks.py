"""Which network a command means: a rung or a road of steps, a model of timm, a file of weights."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import nn

from ..design import roadmap as roads
from ..design.roadmap import Rung
from ..errors import AblationError


def one_network(
    model: str | None, weights: Path | None, pretrained: bool = False, size: int | None = None
) -> tuple[str, nn.Module]:
    """A network by name or file, and what to call it.

    Args:
        model: a name of timm's, with or without "timm:" before it; None for a file that ablation wrote.
        weights: a file of weights; for a model of timm, its own.
        pretrained: download timm's weights.
        size: side of the images in pixels, for models that are made for one size.

    Raises:
        AblationError: if there is no such model (the nearest name is offered), or the weights cannot be had or do not fit.
    """
    if model is None:
        if weights is None:
            raise AblationError("give --weights FILE or --model NAME")
        from ..network import load_weights

        return weights.stem, load_weights(weights)
    return model.removeprefix("timm:"), _timm(model.removeprefix("timm:"), weights, pretrained, size)


def timm_name(name: str) -> str:
    """The name of a model of timm, without "timm:" before it.

    Raises:
        AblationError: if there is none; the nearest name is offered.
    """
    import timm

    from .. import network as _ours  # noqa: F401  registers every rung with timm

    name = name.removeprefix("timm:")
    if not timm.is_model(name):
        near = get_close_matches(name.partition(".")[0], timm.list_models(), n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise AblationError(f"timm has no model {name!r}{hint} Possible: the names of timm.list_models()")
    return name


def _timm(name: str, weights: Path | None, pretrained: bool, size: int | None) -> nn.Module:
    import timm

    from ..network.weights import images_of, read_state_dict

    name = timm_name(name)
    options: dict[str, Any] = {}
    cfg = timm.get_pretrained_cfg(name)
    if size is not None and cfg is not None and cfg.fixed_input_size:
        options["img_size"] = size
    state = read_state_dict(weights) if weights is not None else None
    if state is not None and cfg is not None:  # weights for another data set say so by their shapes
        for option, layer, axis in (("num_classes", cfg.classifier, 0), ("in_chans", cfg.first_conv, 1)):
            weight = state.get(f"{layer}.weight")
            if weight is not None:
                options[option] = weight.shape[axis]
    try:
        made: nn.Module = timm.create_model(name, pretrained=pretrained and state is None, **options)
        if weights is not None and state is not None:
            made.load_state_dict(state)
            described: dict[str, Any] = {**made.pretrained_cfg, **images_of(weights)}  # type: ignore[dict-item]
            made.pretrained_cfg = described  # type: ignore[assignment]
    except Exception as error:  # a hub fails in many ways, each with a class of its own
        said = (str(error).splitlines() or ["no message"])[0]
        remedy = (
            "the weights are another model's"
            if state is not None
            else "where no hub can be reached, give --weights FILE"
        )
        raise AblationError(f"timm could not make {name!r} ({type(error).__name__}: {said}): {remedy}") from error
    return made


def rungs_of(steps: Sequence[str], start: str) -> tuple[Rung, ...]:
    """The ladder from a ResNet, each architecture once; or the road of the given steps."""
    if steps:
        return roads.road(steps, start)
    rungs = roads.roadmap(start)
    first: dict[Any, Rung] = {}
    for rung in rungs:
        if rung.recipe == "original":
            continue  # the same network as the next row, trained in another way
        first.setdefault(rung.architecture, rung)
    return tuple(first.values())


def short_title(rung: Rung) -> str:
    """A rung's title without its recipe: what is looked at here is the network."""
    return rung.title.removesuffix(" (enhanced recipe)")
