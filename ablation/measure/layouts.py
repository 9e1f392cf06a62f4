"""The layout of a layer's output: which axes are channels, rows and columns, and which tokens stand for positions.

Convnets output (N, C, H, W), timm's Swin (N, H, W, C), and vision transformers tokens (N, L, C), with class or register
tokens before the position tokens. A shape alone does not tell: a map of 56 x 56 positions and 56 channels reads the same
in both 4-dimensional layouts, and 210 tokens may be 14 x 15 positions or 14 x 14 after 14 prefix tokens. What decides,
in this order: the caller; the type of the layer (a convolution outputs NCHW); what timm declares (`output_fmt`,
`feature_info`, `num_prefix_tokens`, `patch_embed`, Hiera's `reroll`); the shape, where only one reading fits the image;
and how the shape changes with the size of the image. If nothing decides, the layout is `UNKNOWN`, not guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import isqrt, log, prod
from typing import Any, Final

import torch
from torch import Tensor, nn

from ..errors import AblationError
from .declared import (
    CHANNELS_FIRST,
    declared_axes,
    declared_channels,
    declared_tokens,
    find,
    lengths_of_few_tokens,
    rolled,
    token_count,
)

_MOST_PREFIX_TOKENS = 16
# Largest difference between the log aspect ratios of map and image. A convolution without padding removes the same
# number of positions from height and width, so the map of an elongated image is even more elongated.
_NO_MAP = 0.6
_STRIP = 1.0  # log aspect ratio of an image that is a strip


@dataclass(frozen=True)
class Layout:
    """Layout of a layer's feature map.

    Args:
        kind: "NCHW", "NHWC" or "NLC" (tokens).
        height, width: size of the map in positions.
        channels: channels of the map.
        prefix: number of tokens before the position tokens.
        order: (height * width,) indices of the position tokens in raster order, if they are stored in another order.
    """

    kind: str
    height: int
    width: int
    channels: int
    prefix: int = 0
    order: Tensor | None = field(default=None, compare=False)

    @property
    def form(self) -> str | None:
        """What the caller would give as layout, for images of any size; None if the tokens have an order of their own."""
        if self.order is not None:
            return None
        return f"NLC+{self.prefix}" if self.kind == "NLC" else self.kind

    def to_map(self, x: Tensor) -> Tensor:
        """Return the output of the layer as (N, C, h, w)."""
        if self.kind == "NHWC":
            return x.permute(0, 3, 1, 2)
        if self.kind == "NLC":
            positions = x[:, self.prefix :]
            if self.order is not None:
                positions = positions[:, self.order.to(x.device)]
            return positions.transpose(1, 2).reshape(len(x), self.channels, self.height, self.width)
        return x

    def from_map(self, x: Tensor, output: Tensor) -> Tensor:
        """Return (N, C, h, w) in the layout of the layer's output; the prefix tokens are copied from `output`."""
        if self.kind == "NHWC":
            return x.permute(0, 2, 3, 1)
        if self.kind == "NLC":
            positions = x.flatten(2).transpose(1, 2)  # (N, L, C)
            if self.order is not None:
                positions = positions[:, self.order.argsort().to(x.device)]
            return torch.cat([output[:, : self.prefix], positions], dim=1)
        return x


class _Unknown:
    """A map whose layout is not known."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
FORMS = "'NCHW', 'NHWC', 'NLC' (tokens) or 'NLC+k' (tokens after k prefix tokens)"


def layout_of(
    output: Any, images: Tensor, module: nn.Module, layer: str, layout: str | None = None
) -> Layout | _Unknown | None:
    """Return the layout of a layer's output for images, None if it is not a map, or `UNKNOWN` if it cannot be told.

    Args:
        output: what the layer output.
        images: (N, C, H, W), what the module was run on.
        module: the whole network.
        layer: name of the layer in the network.
        layout: the layout given by the caller, one of `FORMS`, or None.
    """
    image = (images.shape[-2], images.shape[-1])
    if not isinstance(output, Tensor) or not output.is_floating_point() or output.ndim not in (3, 4):
        return None
    if len(output) != len(images) or min(output.shape) < 1 or min(image) < 1:
        return None
    shape = tuple(output.shape)
    if layout is not None:
        return _given(layout, shape, image)
    if output.ndim == 3:
        return _tokens(shape, image, module, layer)
    return _four_axes(shape, image, module, layer)


def _four_axes(
    shape: tuple[int, ...], image: tuple[int, int], module: nn.Module, layer: str
) -> Layout | _Unknown | None:
    first = Layout("NCHW", shape[2], shape[3], shape[1])
    last = Layout("NHWC", shape[1], shape[2], shape[3])
    tokens = token_count(module, layer, image)
    if tokens in (shape[1], shape[3]) and tokens == shape[2]:  # the attention of every token to every token
        return None
    axes = declared_axes(module, layer)
    if axes or shape[2:] == (1, 1):  # (N, C, 1, 1): pooled
        return last if axes == "NHWC" else first
    plausible = [x for x in (first, last) if _distortion(x.height, x.width, image) < _NO_MAP]
    exact = [x for x in plausible if _fits(x.height, x.width, image)]
    is_strip = abs(log(image[0] / image[1])) > _STRIP  # few positions may remain, in any ratio
    if len(exact) == 1 and (image[0] == image[1] or (len(plausible) == 1 and not is_strip)):
        return exact[0]
    channels = declared_channels(module, layer)
    if channels in (first.channels, last.channels) and first.channels != last.channels:
        return first if first.channels == channels else last
    return UNKNOWN if plausible or is_strip else None


def _tokens(shape: tuple[int, ...], image: tuple[int, int], module: nn.Module, layer: str) -> Layout | _Unknown | None:
    _, length, channels = shape
    if isinstance(find(module, layer), CHANNELS_FIRST):  # (N, C, L)
        return None
    units = rolled(module, layer, length)
    if units:
        height, width, order = units
        return Layout("NLC", height, width, channels, 0, order)
    prefix, grid = declared_tokens(module, layer, image)
    # A layer may run before the prefix tokens are added, or after they are removed.
    expected = list(dict.fromkeys((prefix or 0, 0)))
    for tokens in expected:
        if grid and length - tokens == prod(grid):
            return Layout("NLC", *grid, channels, tokens)
    fits = {p: size for p in range(min(length, _MOST_PREFIX_TOKENS + 1)) if (size := _grid(length - p, image))}
    possible = expected if prefix is not None else sorted({0, *lengths_of_few_tokens(module)})
    found = [p for p in possible if p in fits]
    if found and (prefix is not None or len(found) == 1):
        return Layout("NLC", *fits[found[0]], channels, found[0])
    return UNKNOWN if fits and prefix is None else None


def _given(layout: str, shape: tuple[int, ...], image: tuple[int, int]) -> Layout | None:
    """Return the layout that the caller gave, or None if the output does not have that many axes."""
    found = re.fullmatch(r"(NCHW|NHWC|NLC)(?:\+(\d+))?", layout)
    if not found or (found[2] and found[1] != "NLC"):
        raise AblationError(f"layout {layout!r} must be {FORMS}")
    kind, prefix = found[1], int(found[2] or 0)
    if kind == "NLC" and len(shape) == 3:
        grid = _grid(shape[1] - prefix, image)
        return Layout("NLC", *grid, shape[2], prefix) if grid else None
    if kind == "NLC" or len(shape) != 4:
        return None
    return Layout(kind, *shape[2:], shape[1]) if kind == "NCHW" else Layout(kind, *shape[1:])


def from_growth(shapes: dict[str, tuple[int, ...]], image: tuple[int, int]) -> Layout | None:
    """Return the layout of an output from its shapes for the image, a "taller" and a "wider" image of twice the side.

    Only rows double in a taller image, only columns in a wider one; channels and prefix tokens stay.
    """
    shape, taller, wider = (shapes[key] for key in ("image", "taller", "wider"))
    if not len(shape) == len(taller) == len(wider):
        return None
    rows = [axis for axis, (a, b) in enumerate(zip(shape, taller, strict=True)) if a != b]
    columns = [axis for axis, (a, b) in enumerate(zip(shape, wider, strict=True)) if a != b]
    if (rows, columns) == ([2], [3]):
        return Layout("NCHW", shape[2], shape[3], shape[1])
    if (rows, columns) == ([1], [2]) and len(shape) == 4:
        return Layout("NHWC", shape[1], shape[2], shape[3])
    if (rows, columns) == ([1], [1]) and len(shape) == 3 and taller[1] == wider[1]:
        prefix = 2 * shape[1] - taller[1]
        grid = _grid(shape[1] - prefix, image) if prefix >= 0 else None
        return Layout("NLC", *grid, shape[2], prefix) if grid else None
    return None


def _grid(positions: int, image: tuple[int, int]) -> tuple[int, int] | None:
    """Return the rows and columns of this many positions in the image's aspect ratio, or None if they do not fit."""
    if positions < 1:
        return None
    middle = isqrt(positions * image[0] // image[1])
    for height in (middle, middle + 1, middle - 1):
        if height > 0 and positions % height == 0 and _fits(height, positions // height, image):
            return height, positions // height
    return None


def _fits(height: int, width: int, image: tuple[int, int]) -> bool:
    """Return whether an image has this many rows and columns of patches, of one side, rounded up or down."""
    strides = {max(1, side // patches) for side, patches in zip(image, (height, width), strict=True)}
    strides |= {-(-side // patches) for side, patches in zip(image, (height, width), strict=True)}
    return any(
        (height, width) in ((image[0] // s, image[1] // s), (-(-image[0] // s), -(-image[1] // s))) for s in strides
    )


def _distortion(height: int, width: int, image: tuple[int, int]) -> float:
    """Return the absolute difference between the log aspect ratios of map and image; 0 if they are equal."""
    return abs(log(height / width) - log(image[0] / image[1]))
