"""The feature map inside any network: which layer puts it out, and in which layout.

Convnets put out (N, C, H, W); timm's Swin (N, H, W, C); vision transformers tokens (N, L, C), with class or register tokens
before those of the positions. Everything here is told from shapes alone, given the size of the image, so that a network of any
library is read alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isqrt, log
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import AblationError, unknown

_MOST_PREFIX_TOKENS = 16
# How far, as a logarithm, the ratio of a map's sides may be from that of the image: a convolution without padding takes the
# same from both sides, so that a long image's map grows longer still; tokens by channels of an attention head are off by more.
_SAME_SHAPE, _STRIP, _NO_MAP = 0.03, 0.2, 0.6


@dataclass(frozen=True)
class Layout:
    """How a layer lays out its map.

    Args:
        kind: "NCHW", "NHWC" or "tokens".
        height, width, channels: of the map, in positions.
        prefix: tokens before those of the positions.
    """

    kind: str
    height: int
    width: int
    channels: int
    prefix: int = 0

    def to_map(self, x: Tensor) -> Tensor:
        """(N, C, h, w) from what the layer puts out."""
        if self.kind == "NHWC":
            return x.permute(0, 3, 1, 2)
        if self.kind == "tokens":
            positions = x[:, self.prefix :].transpose(1, 2)  # (N, C, h * w)
            return positions.reshape(len(x), self.channels, self.height, self.width)
        return x

    def from_map(self, x: Tensor, before: Tensor) -> Tensor:
        """What the layer puts out from (N, C, h, w); prefix tokens are those of `before`."""
        if self.kind == "NHWC":
            return x.permute(0, 2, 3, 1)
        if self.kind == "tokens":
            return torch.cat([before[:, : self.prefix], x.flatten(2).transpose(1, 2)], dim=1)
        return x


def layout_of(x: Any, image: tuple[int, int]) -> Layout | None:
    """The layout of what a layer put out for an image of that height and width, or None if it is no map."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or image[0] < 1 or image[1] < 1:
        return None
    shape = tuple(x.shape)
    if x.ndim == 4:
        first = Layout("NCHW", shape[2], shape[3], shape[1])
        last = Layout("NHWC", shape[1], shape[2], shape[3])
        off_first, off_last = (_distortion(layout.height, layout.width, image) for layout in (first, last))
        if shape[2:] == (1, 1):  # pooled
            return first
        is_strip = abs(log(image[0] / image[1])) > _NO_MAP  # of which few positions are left, in any ratio
        if off_last < _SAME_SHAPE < off_first or off_last < (_STRIP if is_strip else _NO_MAP) < off_first:
            return last
        return first if off_first < _NO_MAP or is_strip else None
    if x.ndim == 3:
        for prefix in range(min(shape[1], _MOST_PREFIX_TOKENS)):
            positions = shape[1] - prefix
            height = isqrt(positions * image[0] // image[1])
            if height and positions % height == 0 and _distortion(height, positions // height, image) < 0.1:
                return Layout("tokens", height, positions // height, shape[2], prefix)
    return None


def last_map(module: nn.Module, images: Tensor) -> tuple[str, Tensor]:
    """The name of the layer that puts out the last map of a network, found by running it, and that map, (N, C, h, w).

    A network that names its own layer, as `cam_layer`, is believed. Otherwise it is the last module that puts out more than one
    position, or the last of timm's `feature_info` where that puts out a single one.

    Raises:
        AblationError: if no layer puts out a map.
    """
    names = {part: name for name, part in module.named_modules()}
    own = getattr(module, "cam_layer", None)
    if own in names:
        return names[own], map_of(module, images, names[own])
    size = (images.shape[-2], images.shape[-1])
    info: Any = getattr(module, "feature_info", None)
    named = info[-1]["module"] if info else None
    width = getattr(module, "num_features", None)  # timm's word for the channels of the last map
    found: dict[
        bool, tuple[str, Tensor]
    ] = {}  # whether it has as many channels as the network says -> the last such map

    def note(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, inputs: Any, output: Any) -> None:
            layout = layout_of(output, size)
            if layout and (layout.height * layout.width > 1 or name == named):
                found[layout.channels == width] = (name, layout.to_map(output))

        return hook

    handles = [part.register_forward_hook(note(name)) for part, name in names.items()]
    try:
        run(module, images)
    finally:
        for handle in handles:
            handle.remove()
    if found:
        return found[True] if True in found else found[False]
    raise AblationError(
        f"no layer of {type(module).__name__} puts out a map of more than one position for an image of "
        f"{size[0]} x {size[1]}: name one as layer=..., such as {', '.join(list(names.values())[1:4])}"
    )


def cam_layer(module: nn.Module, images: Tensor) -> str:
    """The name of the layer on whose map a class activation map belongs: the last one that the classes depend on.

    That is the last map, but for a transformer that classifies by a class token: there nothing depends on the other tokens any
    more after the last attention, so it is the norm before it.
    """
    blocks = getattr(module, "blocks", None)
    if getattr(module, "global_pool", None) == "token" and isinstance(blocks, nn.Sequential | nn.ModuleList):
        name = f"blocks.{len(blocks) - 1}.norm1"
        if name in dict(module.named_modules()):
            return name
    return last_map(module, images)[0]


def find_layer(module: nn.Module, name: str) -> nn.Module:
    """The part of that name.

    Raises:
        AblationError: if there is none; the nearest name is offered.
    """
    parts = dict(module.named_modules())
    if name not in parts:
        error = unknown("layer", name, [part for part in parts if part][:200])
        raise AblationError(str(error) if len(str(error)) < 400 else f"{str(error)[:400]} ...")
    return parts[name]


class _ReachedError(Exception):
    """The layer was run; the rest of the network need not be."""


def map_of(module: nn.Module, images: Tensor, layer: str) -> Tensor:
    """What a layer puts out for images, as (N, C, h, w); the layers after it are not run.

    Raises:
        AblationError: if the layer puts out no map, or is not reached.
    """
    kept: list[Any] = []

    def keep(part: nn.Module, inputs: Any, output: Any) -> None:
        kept.append(output)
        raise _ReachedError

    handle = find_layer(module, layer).register_forward_hook(keep)
    try:
        run(module, images)
    except _ReachedError:
        pass
    finally:
        handle.remove()
    if not kept:
        raise AblationError(f"layer {layer!r} was not reached: the network does not use it")
    return checked_layout(kept[0], images, layer).to_map(kept[0])


def checked_layout(output: Any, images: Tensor, layer: str) -> Layout:
    """The layout of what a layer put out for images.

    Raises:
        AblationError: if it is no map.
    """
    layout = layout_of(output, (images.shape[-2], images.shape[-1]))
    if layout is None:
        what = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise AblationError(
            f"layer {layer!r} puts out no map: expected are (N, C, H, W), (N, H, W, C) or tokens (N, L, C), not {what}"
        )
    return layout


@contextmanager
def probed(module: nn.Module, layer: str, images: Tensor) -> Iterator[nn.Module]:
    """Let a layer's map pass through an extra identity module as (N, C, h, w), whatever the layer's own layout.

    Captum's layer methods, which know one layout, then work on the identity module.
    """
    probe = nn.Identity()

    def pass_through(part: nn.Module, inputs: Any, output: Any) -> Tensor:
        layout = checked_layout(output, images, layer)
        return layout.from_map(probe(layout.to_map(output)), output)

    handle = find_layer(module, layer).register_forward_hook(pass_through)
    try:
        yield probe
    finally:
        handle.remove()


def run(module: nn.Module, images: Tensor, copy: bool = True) -> Any:
    """Call a module on images.

    Args:
        module, images: what is called on what.
        copy: the images, because a network may begin by writing over its input. Where the call is timed, leave them.

    Raises:
        AblationError: with what the module said, if it cannot be run on them.
    """
    try:
        return module(images.clone() if copy else images)
    except (_ReachedError, AblationError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever the module itself raises
        size = " x ".join(map(str, images.shape[1:]))
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise AblationError(f"{type(module).__name__} could not be run on images of {size}: {said}") from error


def _distortion(height: int, width: int, image: tuple[int, int]) -> float:
    """How far the shape of a map is from that of the image; 0 for the same."""
    if not height or not width:
        return float("inf")
    return abs(log(height / width) - log(image[0] / image[1]))
