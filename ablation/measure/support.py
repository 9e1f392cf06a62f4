"""The exact theoretical receptive field of any network: the pixels that can influence one position of a feature map.

The support is the set of pixels with a nonzero gradient at that position, computed in float64. All weights are redrawn
so that none is zero, and rectifiers and maxima close no path (`open_paths`). Pixels with a gradient of exactly zero
cannot influence the position, whatever the weights.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import AblationError
from .features import find_map
from .modes import device_and_dtype, preserving_state
from .open_paths import OpenPaths

# In pixels. A width of 32 gives one position after a total stride of 32; without padding, narrow strips vanish.
_STRIP_WIDTHS = (32, 64, 128, 256, 512)
_FIRST_LENGTH, _LAST_LENGTH = 512, 8192
# In pixels, for networks that do not accept strips; the small sizes are for those that refuse large squares as well.
_SQUARES, _SMALL_SQUARE = (512, 1024, 256, 128, 64, 32), 256


@dataclass(frozen=True)
class _Where:
    """The layer to look at, by default the last that outputs a map, its layout if given, and the image's channels."""

    layer: str | None
    layout: str | None
    in_chans: int


class Field(int):
    """A theoretical receptive field: an int, the side in pixels.

    Attributes:
        whole_image: whether the position sees every pixel, however large the image; the int is then the side of the
            largest image tried.
        height, width: size of the support in pixels; the int is the larger of the two.
        offset: rows and columns from pixel (i * stride, j * stride) to the first pixel that position (i, j) sees: 0
            without padding, negative with it.
        stride: rows and columns in pixels from one position to the next; below 1 after upsampling. Where the image cuts
            the field off, the image's size over that of the map.
    """

    whole_image: bool
    height: int
    width: int
    offset: tuple[int, int]
    stride: tuple[float, float]

    def __new__(
        cls,
        height: int,
        width: int,
        whole_image: bool = False,
        offset: tuple[int, int] = (0, 0),
        stride: tuple[float, float] = (1, 1),
    ) -> Field:
        field = super().__new__(cls, max(height, width))
        field.height, field.width, field.whole_image = height, width, whole_image
        field.offset, field.stride = offset, stride
        return field

    def __repr__(self) -> str:
        return f"the whole image (tried up to {int(self)} px)" if self.whole_image else f"{int(self)} px"


def theoretical_receptive_field(
    module: nn.Module,
    size: int | None = None,
    layer: str | None = None,
    in_chans: int = 3,
    layout: str | None = None,
) -> Field:
    """Return the side of the square of pixels that can influence the middle position of the last feature map.

    Measured on a copy in float64, on strips of increasing length: the field of a convnet has the same extent along a
    strip as in a square image, at a fraction of the cost. A network with a fixed input size is measured on a square of
    that size.

    Args:
        module: any network that takes (N, in_chans, H, W).
        size: side in pixels of a square image to use instead of strips; the field is clipped to it.
        layer: name of the layer whose map is used; by default the last layer that outputs a map.
        in_chans: channels of the image.
        layout: layout of that layer's output, if it cannot be told: "NCHW", "NHWC", "NLC" (tokens), or "NLC+k" (tokens after
            k class or register tokens).

    Returns:
        The side in pixels, an int with the attribute `whole_image`.

    Raises:
        AblationError: if the module cannot be run, outputs no map, or has no layer of that name.

    >>> theoretical_receptive_field(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)))
    8 px
    """
    network = copy.deepcopy(module).to(device=device_and_dtype(module)[0], dtype=torch.float64)
    where = _Where(layer, layout, in_chans)
    fixed = _fixed_size(network) if size is None else size
    if fixed is not None:
        return _from_square(network, fixed, where)[0]
    for width in _STRIP_WIDTHS:
        try:
            return _from_strips(network, width, where)
        except AblationError:
            continue
    largest: Field | None = None
    for square in _SQUARES:
        try:
            field, cut = _from_square(network, square, where)
        except AblationError:
            if square == _SQUARES[-1] and largest is None:
                raise
            continue
        largest = field if largest is None else max(largest, field)
        if not cut or square <= _SMALL_SQUARE:
            break
    assert largest is not None
    return largest


def _from_strips(network: nn.Module, width: int, where: _Where) -> Field:
    length = _FIRST_LENGTH
    while (rows := _Extent.of(trace := _Trace(network, (length, width), where), 0)).cut and length < _LAST_LENGTH:
        length, where = 2 * length, trace.where
    if rows.cut:
        return Field(length, length, whole_image=True)
    columns = _Extent.of(_Trace(network, (width, length), trace.where), 1)
    return Field(rows.length, columns.length, False, (rows.offset, columns.offset), (rows.stride, columns.stride))


def _from_square(network: nn.Module, size: int, where: _Where) -> tuple[Field, bool]:
    """Return the field within a square image, and whether it reaches the edge."""
    trace = _Trace(network, (size, size), where)
    rows, columns = _Extent.of(trace, 0), _Extent.of(trace, 1)
    whole = bool(trace.support(*trace.middle).all())
    offset, stride = (rows.offset, columns.offset), (rows.stride, columns.stride)
    return Field(rows.length, columns.length, whole, offset, stride), rows.cut or columns.cut


@dataclass(frozen=True)
class _Extent:
    """The support of the middle position along one side of an image, in pixels."""

    length: int
    offset: int
    stride: float
    cut: bool

    @classmethod
    def of(cls, trace: _Trace, axis: int) -> _Extent:
        first, last = trace.reached(axis, 0)
        middle, positions, side = trace.middle[axis], trace.positions[axis], trace.image[axis]
        cut = first == 0 or last == side - 1
        stride = side / positions
        step = next((n for n in (8, 4, 2, 1) if n < positions - middle), 0)
        if not cut and step:
            stride = (trace.reached(axis, step)[0] - first) / step
        elif not cut and middle:
            stride = last - trace.reached(axis, -1)[1]
        return cls(last - first + 1, first - round(middle * stride), stride, cut)


class _Trace:
    """A network that has run on one image, with the gradients of its map.

    Where comparisons gate values, and where no gradient arrives, the pixels found with a second draw, of positive weights
    and pixels, are added: a nonzero gradient proves an influence, whatever the weights.
    """

    def __init__(self, network: nn.Module, image: tuple[int, int], where: _Where) -> None:
        self.image = image
        self._network, self.where = network, where
        self._runs: list[tuple[Tensor, Tensor, Tensor]] = []  # map, image, weights of the map's channels
        self._supports: dict[tuple[int, int], Tensor] = {}
        gated = self._run(positive=False)
        height, width = self._runs[0][0].shape[2:]
        self.positions, self.middle = (height, width), (height // 2, width // 2)
        if gated or not self.support(*self.middle).any():
            self._supports.clear()
            self._run(positive=True)
        if not self.support(*self.middle).any():
            raise AblationError(
                f"layer {self.where.layer!r} does not depend on the image: its gradient is zero everywhere"
            )

    def reached(self, axis: int, step: int) -> tuple[int, int]:
        """Return the first and last pixel along an axis that the position `step` after the middle one sees."""
        row, column = self.middle
        support = self.support(row + step, column) if axis == 0 else self.support(row, column + step)
        if not support.any():
            raise AblationError(
                f"position {step} after the middle one of layer {self.where.layer!r} does not depend on the image: its gradient "
                "is zero everywhere"
            )
        inside = support.any(1 - axis).nonzero()
        return int(inside.min()), int(inside.max())

    def support(self, row: int, column: int) -> Tensor:
        """Return the pixels that a position sees, (H, W) bool."""
        if (row, column) not in self._supports:
            found = torch.zeros(self.image, dtype=torch.bool)
            for features, images, weights in self._runs:
                value = (features[0, :, row, column] * weights).sum()
                (gradient,) = torch.autograd.grad(value, images, retain_graph=True, allow_unused=True)
                if gradient is None:
                    continue
                if not torch.isfinite(gradient).all():
                    raise AblationError(
                        f"the gradient of layer {self.where.layer!r} is not finite in float64, so its support cannot be "
                        "determined"
                    )
                found |= (gradient != 0).any(1)[0].cpu()
            self._supports[row, column] = found
        return self._supports[row, column]

    def _run(self, positive: bool) -> bool:
        """Run the network with freshly drawn weights, and return whether comparisons gate values in it."""
        where = self.where
        # The graph of the first run still needs its weights.
        network = copy.deepcopy(self._network) if self._runs else self._network
        device, dtype = device_and_dtype(network)
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(1, where.in_chans, *self.image, generator=generator, dtype=dtype)
        _redraw(network, positive)
        with preserving_state(network), OpenPaths() as paths:
            images = (images.abs() if positive else images).to(device).requires_grad_()
            place = find_map(network, images, where.layer, where.layout)
        features = place.map
        self.where = _Where(place.layer, place.layout.form, where.in_chans)
        if features.requires_grad:
            weights = torch.randn(features.shape[1], generator=generator, dtype=dtype)
            self._runs.append((features, images, (weights.abs() if positive else weights).to(device)))
        elif not self._runs:
            raise AblationError(f"layer {self.where.layer!r} does not depend on the image: it has no gradient")
        return paths.gated


def _redraw(network: nn.Module, positive: bool) -> None:
    """Draw weights that close no path: none is zero, and multiplicative factors are near 1."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            values = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            if parameter.ndim > 1 and parameter[0].numel() > 1:
                values /= math.sqrt(parameter[0].numel())
            elif not name.endswith("bias"):
                values = 1 + 0.2 * values.clamp(-2, 2)
            parameter.copy_(values.abs() if positive else values)
        for part in network.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_var is not None:
                part.reset_running_stats()


def _fixed_size(network: nn.Module) -> int | None:
    """Return the fixed input size in pixels that a network declares, as timm's transformers do, or None."""
    declared: Any = getattr(getattr(network, "patch_embed", None), "img_size", None)
    strict = getattr(getattr(network, "patch_embed", None), "strict_img_size", True)
    cfg: Any = getattr(network, "pretrained_cfg", None) or {}
    if declared is not None and strict:
        return int(declared[0] if isinstance(declared, tuple | list) else declared)
    return int(cfg["input_size"][-1]) if cfg.get("fixed_input_size") else None
