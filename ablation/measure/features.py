"""Feature maps inside any network: the layer that outputs a map, and its output as (N, C, h, w)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import AblationError, first_line, unknown
from .layouts import FORMS, UNKNOWN, Layout, from_growth, layout_of


@dataclass(frozen=True)
class Place:
    """A layer that outputs a map, its layout, and its map of some images, (N, C, h, w)."""

    layer: str
    layout: Layout
    map: Tensor


def find_map(module: nn.Module, images: Tensor, layer: str | None = None, layout: str | None = None) -> Place:
    """Return a layer's map of images, by default that of the layer that outputs the last map of the network.

    That is the attribute `cam_layer` of the network if it has one. Otherwise the network is run. The layer is then the
    last module whose output has more than one position; the last module of timm's `feature_info` may also have a single
    position.

    Args:
        module: the whole network.
        images: (N, C, H, W).
        layer: name of the layer. Layers after it are not run.
        layout: layout of its output, if the caller knows it.

    Raises:
        AblationError: if the layer outputs no map, its layout is unknown, or it is not reached.
    """
    names = {part: name for name, part in module.named_modules()}
    declared = getattr(module, "cam_layer", None)
    if layer is None and declared in names:
        layer = names[declared]
    if layer is None:
        layer, output = _last_output(module, images, layout, names)
    else:
        output = _output_of(module, images, layer)
    read = checked_layout(output, images, module, layer, layout)
    return Place(layer, read, read.to_map(output))


def _last_output(
    module: nn.Module, images: Tensor, layout: str | None, names: dict[nn.Module, str]
) -> tuple[str, Tensor]:
    info: Any = getattr(module, "feature_info", None)
    last_of_timm = info[-1]["module"] if info else None
    width = getattr(module, "num_features", None)  # timm's attribute for the channels of the last map
    # Whether the number of channels equals `num_features` -> the last such map.
    found: dict[bool, tuple[str, Tensor]] = {}

    def hook_for(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, inputs: Any, output: Any) -> None:
            read = layout_of(output, images, module, name, layout)
            if isinstance(read, Layout):
                if read.height * read.width > 1 or name == last_of_timm:
                    found[read.channels == width] = (name, output)
            elif read is UNKNOWN:
                found[width in output.shape[1:]] = (name, output)

        return hook

    handles = [part.register_forward_hook(hook_for(name)) for part, name in names.items()]
    try:
        run(module, images)
    finally:
        for handle in handles:
            handle.remove()
    if found:
        return found[True] if True in found else found[False]
    raise AblationError(
        f"no layer of {type(module).__name__} outputs a map of more than one position for an image of "
        f"{images.shape[-2]} x {images.shape[-1]}: name one as layer=..., such as {', '.join(list(names.values())[1:4])}"
    )


def find_cam(module: nn.Module, images: Tensor, layer: str | None = None, layout: str | None = None) -> Place:
    """Return the place of a class activation map: by default the last layer whose map the logits depend on.

    This is the layer of the last map, except for a transformer that classifies by a class token. After its last
    attention the logits no longer depend on the other tokens, so the norm before that attention is used.

    Raises:
        AblationError: as `find_map`.
    """
    blocks = getattr(module, "blocks", None)
    if (
        layer is None
        and getattr(module, "global_pool", None) == "token"
        and isinstance(blocks, nn.Sequential | nn.ModuleList)
    ):
        name = f"blocks.{len(blocks) - 1}.norm1"
        layer = name if name in dict(module.named_modules()) else None
    with torch.no_grad():
        return find_map(module, images, layer, layout)


def find_layer(module: nn.Module, name: str) -> nn.Module:
    """Return the module with this name.

    Raises:
        AblationError: if there is none; the message suggests the nearest name.
    """
    parts = dict(module.named_modules())
    if name not in parts:
        error = unknown("layer", name, [part for part in parts if part][:200])
        raise AblationError(str(error) if len(str(error)) < 400 else f"{str(error)[:400]} ...")
    return parts[name]


class _ReachedError(Exception):
    """Raised after the requested layer has run, to skip the rest of the network."""


def _output_of(module: nn.Module, images: Tensor, layer: str) -> Any:
    """Return the output of a layer for images. Later layers are not run."""
    outputs: list[Any] = []

    def record(part: nn.Module, inputs: Any, output: Any) -> None:
        outputs.append(output)
        raise _ReachedError

    handle = find_layer(module, layer).register_forward_hook(record)
    try:
        run(module, images)
    except _ReachedError:
        pass
    finally:
        handle.remove()
    if not outputs:
        raise AblationError(f"layer {layer!r} was not reached: the forward pass does not use it")
    return outputs[0]


def checked_layout(output: Any, images: Tensor, module: nn.Module, layer: str, layout: str | None = None) -> Layout:
    """Return the layout of a layer's output for images.

    Args:
        output: what the layer output.
        images: (N, C, H, W), what the module was run on.
        module: the whole network.
        layer: name of the layer in the network.
        layout: one of `FORMS`, or None to find out.

    Raises:
        AblationError: if the output is not a map, or its layout is unknown.
    """
    read = layout_of(output, images, module, layer, layout)
    if read is UNKNOWN:
        read = _from_larger_images(module, images, layer) or UNKNOWN
    if isinstance(read, Layout):
        return read
    given = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
    size = f"{images.shape[-2]} x {images.shape[-1]}"
    if read is UNKNOWN:
        raise AblationError(
            f"layer {layer!r} outputs {given} for images of {size}, which can be read in several ways: give layout=..., "
            f"one of {FORMS}"
        )
    if isinstance(output, Tensor) and output.ndim in (3, 4) and len(output) != len(images):
        raise AblationError(
            f"layer {layer!r} outputs {given} for a batch of {len(images)}: it folds windows or patches into the batch, so "
            "it has no map of the image. Name the block around it"
        )
    if layout is not None:
        raise AblationError(f"layer {layer!r} outputs {given} for images of {size}, which cannot be read as {layout!r}")
    raise AblationError(
        f"layer {layer!r} does not output a map: expected (N, C, H, W), (N, H, W, C) or tokens (N, L, C), not {given}"
    )


def _from_larger_images(module: nn.Module, images: Tensor, layer: str) -> Layout | None:
    """Return the layout of a layer's output from its shapes for larger images; None if the network refuses them."""
    one = images[:1].detach()
    shapes = {}
    with torch.no_grad():
        for key, repeats in {"image": (1, 1, 1, 1), "taller": (1, 1, 2, 1), "wider": (1, 1, 1, 2)}.items():
            try:
                output = _output_of(module, one.repeat(*repeats), layer)
            except AblationError:
                return None
            if not isinstance(output, Tensor):
                return None
            shapes[key] = tuple(output.shape)
    return from_growth(shapes, (images.shape[-2], images.shape[-1]))


@contextmanager
def probed(module: nn.Module, layer: str, layout: Layout) -> Iterator[nn.Module]:
    """Pass a layer's map through an extra identity module as (N, C, h, w), and yield that module.

    This works for every layout of the layer. Captum's layer methods, which support a single layout, can be applied to the
    identity module.
    """
    probe = nn.Identity()

    def pass_through(part: nn.Module, inputs: Any, output: Any) -> Tensor:
        return layout.from_map(probe(layout.to_map(output)), output)

    handle = find_layer(module, layer).register_forward_hook(pass_through)
    try:
        yield probe
    finally:
        handle.remove()


def run(module: nn.Module, images: Tensor, copy: bool = True) -> Any:
    """Call a module on images.

    Args:
        module: module to call.
        images: its input.
        copy: pass a copy of the images, because a network may overwrite its input. Use False when the call is timed.

    Raises:
        AblationError: if the module cannot be run on the images; the message includes the module's own message.
    """
    try:
        return module(images.clone() if copy else images)
    except (_ReachedError, AblationError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # the module may raise anything
        size = " x ".join(map(str, images.shape[1:]))
        reason = first_line(error)
        raise AblationError(f"{type(module).__name__} could not be run on images of {size}: {reason}") from error
