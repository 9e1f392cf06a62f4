"""Feature maps inside any network: the layer that outputs a map, and the map's layout.

Convnets output (N, C, H, W), timm's Swin (N, H, W, C), and vision transformers tokens (N, L, C), with class or register
tokens before the position tokens. Layouts are inferred from shapes alone, given the size of the image, so networks of
any library are handled in the same way.
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
# Tolerated difference between the log aspect ratios of map and image. A convolution without padding removes the same
# number of positions from height and width, so the map of an elongated image is even more elongated. The difference is
# larger for tokens by channels of an attention head, which are not a map.
_SAME_SHAPE, _STRIP, _NO_MAP = 0.03, 0.2, 0.6


@dataclass(frozen=True)
class Layout:
    """Layout of a layer's feature map.

    Args:
        kind: "NCHW", "NHWC" or "tokens".
        height, width: size of the map in positions.
        channels: channels of the map.
        prefix: number of tokens before the position tokens.
    """

    kind: str
    height: int
    width: int
    channels: int
    prefix: int = 0

    def to_map(self, x: Tensor) -> Tensor:
        """Return the output of the layer as (N, C, h, w)."""
        if self.kind == "NHWC":
            return x.permute(0, 3, 1, 2)
        if self.kind == "tokens":
            positions = x[:, self.prefix :].transpose(1, 2)  # (N, C, h * w)
            return positions.reshape(len(x), self.channels, self.height, self.width)
        return x

    def from_map(self, x: Tensor, output: Tensor) -> Tensor:
        """Return (N, C, h, w) in the layout of the layer's output; the prefix tokens are copied from `output`."""
        if self.kind == "NHWC":
            return x.permute(0, 2, 3, 1)
        if self.kind == "tokens":
            return torch.cat([output[:, : self.prefix], x.flatten(2).transpose(1, 2)], dim=1)
        return x


def layout_of(x: Any, image: tuple[int, int]) -> Layout | None:
    """Return the layout of a layer's output for an image of this height and width, or None if it is not a map."""
    if not isinstance(x, Tensor) or not x.is_floating_point() or image[0] < 1 or image[1] < 1:
        return None
    shape = tuple(x.shape)
    if x.ndim == 4:
        first = Layout("NCHW", shape[2], shape[3], shape[1])
        last = Layout("NHWC", shape[1], shape[2], shape[3])
        off_first, off_last = (_distortion(layout.height, layout.width, image) for layout in (first, last))
        if shape[2:] == (1, 1):  # pooled
            return first
        is_strip = abs(log(image[0] / image[1])) > _NO_MAP  # few positions may remain, in any ratio
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
    """Return the name of the layer that outputs the last feature map of a network, and that map, (N, C, h, w).

    If the network has an attribute `cam_layer`, that layer is used. Otherwise the network is run. The layer is then the
    last module whose output has more than one position; the last module of timm's `feature_info` may also have a single
    position.

    Raises:
        AblationError: if no layer outputs a map.
    """
    names = {part: name for name, part in module.named_modules()}
    declared = getattr(module, "cam_layer", None)
    if declared in names:
        return names[declared], map_of(module, images, names[declared])
    size = (images.shape[-2], images.shape[-1])
    info: Any = getattr(module, "feature_info", None)
    last_of_timm = info[-1]["module"] if info else None
    width = getattr(module, "num_features", None)  # timm's attribute for the channels of the last map
    # Whether the number of channels equals `num_features` -> the last such map.
    found: dict[bool, tuple[str, Tensor]] = {}

    def hook_for(name: str) -> Callable[..., None]:
        def hook(part: nn.Module, inputs: Any, output: Any) -> None:
            layout = layout_of(output, size)
            if layout and (layout.height * layout.width > 1 or name == last_of_timm):
                found[layout.channels == width] = (name, layout.to_map(output))

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
        f"{size[0]} x {size[1]}: name one as layer=..., such as {', '.join(list(names.values())[1:4])}"
    )


def cam_layer(module: nn.Module, images: Tensor) -> str:
    """Return the name of the layer to use for class activation maps: the last one whose map the logits depend on.

    This is the layer of the last map, except for a transformer that classifies by a class token. After its last
    attention the logits no longer depend on the other tokens, so the norm before that attention is used.
    """
    blocks = getattr(module, "blocks", None)
    if getattr(module, "global_pool", None) == "token" and isinstance(blocks, nn.Sequential | nn.ModuleList):
        name = f"blocks.{len(blocks) - 1}.norm1"
        if name in dict(module.named_modules()):
            return name
    return last_map(module, images)[0]


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


def map_of(module: nn.Module, images: Tensor, layer: str) -> Tensor:
    """Return the output of a layer for images, as (N, C, h, w). Later layers are not run.

    Raises:
        AblationError: if the layer does not output a map, or is not reached.
    """
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
    return checked_layout(outputs[0], images, layer).to_map(outputs[0])


def checked_layout(output: Any, images: Tensor, layer: str) -> Layout:
    """Return the layout of a layer's output for images.

    Raises:
        AblationError: if the output is not a map.
    """
    layout = layout_of(output, (images.shape[-2], images.shape[-1]))
    if layout is None:
        given = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise AblationError(
            f"layer {layer!r} does not output a map: expected (N, C, H, W), (N, H, W, C) or tokens (N, L, C), "
            f"not {given}"
        )
    return layout


@contextmanager
def probed(module: nn.Module, layer: str, images: Tensor) -> Iterator[nn.Module]:
    """Pass a layer's map through an extra identity module as (N, C, h, w), and yield that module.

    This works for every layout of the layer. Captum's layer methods, which support a single layout, can be applied to the
    identity module.
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
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise AblationError(f"{type(module).__name__} could not be run on images of {size}: {reason}") from error


def _distortion(height: int, width: int, image: tuple[int, int]) -> float:
    """Return the absolute difference between the log aspect ratios of map and image; 0 if they are equal."""
    if not height or not width:
        return float("inf")
    return abs(log(height / width) - log(image[0] / image[1]))
