"""What a network itself says about the layout of its layers: by their types, and by the attributes of timm's models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

CHANNELS_FIRST = (
    nn.modules.conv._ConvNd,
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.modules.pooling._MaxPoolNd,
    nn.modules.pooling._AvgPoolNd,
    nn.modules.pooling._AdaptiveAvgPoolNd,
    nn.modules.pooling._AdaptiveMaxPoolNd,
    nn.Upsample,
    nn.PixelShuffle,
)
CHANNELS_LAST = (nn.Linear, nn.LayerNorm, nn.RMSNorm)  # these types only: LayerNorm2d, a subclass, is channels-first
_PREFIX_TOKENS = re.compile(r"(^|[._])(cls|class|dist|reg|register|storage)_?tokens?$")


def declared_axes(module: nn.Module, layer: str) -> str | None:
    """Return "NCHW" or "NHWC" if the layer's type tells, or timm's `output_fmt` of the nearest module around it."""
    part = find(module, layer)
    if isinstance(part, CHANNELS_FIRST):
        return "NCHW"
    if type(part) in CHANNELS_LAST:
        return "NHWC"
    for around, _ in _around(module, layer):
        if type(around).__module__ == "timm.models._features":  # its format is that of a list of maps that it returns
            return None
        declared = getattr(around, "output_fmt", None)
        if declared is not None:
            name = str(getattr(declared, "value", declared))
            return name if name in ("NCHW", "NHWC") else None
    return None


def declared_channels(module: nn.Module, layer: str) -> int | None:
    """Return the channels of a layer according to timm's `feature_info`."""
    info: Any = getattr(module, "feature_info", None)
    for entry in info if isinstance(info, list) else ():
        if entry.get("module") == layer:
            return entry.get("num_chs")
    return None


def declared_tokens(module: nn.Module, layer: str, image: tuple[int, int]) -> tuple[int | None, tuple[int, int] | None]:
    """Return the number of prefix tokens and the grid of positions that the nearest transformer around a layer declares."""
    tokens = {
        name: parameter.shape[-2] if parameter.ndim > 1 else 1
        for name, parameter in module.named_parameters()
        if _PREFIX_TOKENS.search(name)
    }
    for around, inside in _around(module, layer):
        prefix = getattr(around, "num_prefix_tokens", None)
        if isinstance(prefix, int):
            embed = getattr(around, "patch_embed", None)
            dynamic = getattr(embed, "dynamic_feat_size", None)
            if callable(dynamic):
                return prefix, tuple(dynamic(image))
            size = getattr(embed, "grid_size", None)
            return prefix, tuple(size) if size else None
        start = layer.removesuffix(inside) if inside else layer and f"{layer}."  # the name of `around`, with a dot
        own = [count for name, count in tokens.items() if name.startswith(start)]
        if own:
            return sum(own), None
    return None, None


def lengths_of_few_tokens(module: nn.Module) -> set[int]:
    """Return each k of a parameter of shape (1, k, C), which may hold k prefix tokens under any name."""
    return {parameter.shape[1] for parameter in module.parameters() if parameter.ndim == 3 and len(parameter) == 1}


def token_count(module: nn.Module, layer: str, image: tuple[int, int]) -> int | None:
    """Return the positions and prefix tokens of the nearest transformer around a layer that declares both."""
    if not any(isinstance(getattr(around, "num_prefix_tokens", None), int) for around, _ in _around(module, layer)):
        return None  # the usual case, without a look at the parameters
    prefix, grid = declared_tokens(module, layer, image)
    return prod(grid) + (prefix or 0) if grid else None


def rolled(module: nn.Module, layer: str, length: int) -> tuple[int, int, Tensor] | None:
    """Return height, width and raster order of tokens that Hiera stores by the units that it will pool."""
    for around, inside in _around(module, layer):
        reroll, blocks = getattr(around, "reroll", None), getattr(around, "blocks", None)
        schedule: Any = getattr(reroll, "schedule", None)
        if not isinstance(reroll, nn.Module) or not isinstance(schedule, dict) or blocks is None:
            continue
        place = re.match(r"blocks\.(\d+)", inside)
        if place is None and inside.split(".")[0] not in ("unroll", "norm"):
            return None
        block = int(place[1]) if place else (0 if inside == "unroll" else len(blocks) - 1)
        for index in (block, block - 1):  # the first half of a pooling block still has the previous block's tokens
            _, size = schedule.get(index, (None, ()))
            if len(size) == 2 and prod(size) == length:
                numbered = torch.arange(length, dtype=torch.float32)[None, :, None]
                return int(size[0]), int(size[1]), reroll(numbered, index).flatten().long()
    return None


def _around(module: nn.Module, layer: str) -> Iterator[tuple[nn.Module, str]]:
    """Yield the layer and the modules around it, the innermost first, each with the layer's name inside it."""
    names = layer.split(".") if layer else []
    parts: list[nn.Module | None] = [module]
    for name in names:
        parts.append(parts[-1]._modules.get(name) if parts[-1] is not None else None)
    for depth in range(len(names), -1, -1):
        around = parts[depth]
        if around is not None:
            yield around, ".".join(names[depth:])


def find(module: nn.Module, layer: str) -> nn.Module | None:
    """Return the layer of that name, or None."""
    try:
        return module.get_submodule(layer)
    except AttributeError:
        return None
