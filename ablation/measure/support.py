"""What can reach one position of a feature map at all: the exact theoretical receptive field of any network.

The support is read off the gradient of one position in float64. Every weight is drawn anew, so that none is zero; rectifiers
pass everything and maxima become means meanwhile, so that no path is closed by chance. What the gradient is exactly zero
for cannot reach the position, whatever the weights.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..errors import AblationError
from .features import last_map, map_of
from .modes import device_and_dtype, preserving_state

# Pixels. 32 leave one position after a stride of 32; without padding, nothing is left of a narrow strip.
_STRIP_WIDTHS = (32, 64, 128, 256, 512)
_FIRST_LENGTH, _LAST_LENGTH = 512, 8192
# Pixels, for networks that refuse a strip; the small ones for those that refuse large squares as well.
_SQUARES, _SMALL_SQUARE = (512, 1024, 256, 128, 64, 32), 256
_OPEN = ("relu", "relu_", "relu6", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "hardswish", "hardsigmoid")


class Field(int):
    """A theoretical receptive field: its side in pixels, an int.

    Attributes:
        whole_image: the position sees every pixel of the image, however large; the int is then the side of that image.
        height, width: of the support, in pixels; the int is the larger.
        offset: rows and columns from pixel (i * stride, j * stride) to the first pixel that position (i, j) sees, at most 0.
    """

    whole_image: bool
    height: int
    width: int
    offset: tuple[int, int]

    def __new__(cls, height: int, width: int, whole_image: bool = False, offset: tuple[int, int] = (0, 0)) -> Field:
        field = super().__new__(cls, max(height, width))
        field.height, field.width, field.whole_image, field.offset = height, width, whole_image, offset
        return field

    def __repr__(self) -> str:
        return f"the whole image (tried up to {int(self)} px)" if self.whole_image else f"{int(self)} px"


def theoretical_receptive_field(
    module: nn.Module, size: int | None = None, layer: str | None = None, in_chans: int = 3
) -> Field:
    """Side of the square of the image that can reach one position in the middle of the last feature map.

    Measured on a copy in float64, on strips of growing length: the field of a convnet is the same along a strip as in a
    square, at a small part of the cost. A network that takes one size only is measured on a square of its own size.

    Args:
        module: any network that takes (N, in_chans, H, W).
        size: side of a square image in pixels, instead of strips as long as need be; the field is cut to it.
        layer: name of the layer whose map is meant; by default the last that puts out a map.
        in_chans: channels of the image.

    Returns:
        The side in pixels, an int that says whether it is the whole image.

    Raises:
        AblationError: if the module cannot be run, puts out no map, or has no layer of that name.

    >>> theoretical_receptive_field(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)))
    8 px
    """
    network = copy.deepcopy(module).to(device=device_and_dtype(module)[0], dtype=torch.float64)
    _draw(network)
    if size is not None:
        return _from_square(network, size, layer, in_chans)[0]
    own = _own_size(network)
    if own is not None:
        return _from_square(network, own, layer, in_chans)[0]
    for width in _STRIP_WIDTHS:
        try:
            return _from_strips(network, width, layer, in_chans)
        except AblationError:
            continue
    largest: Field | None = None
    for square in _SQUARES:
        try:
            field, cut = _from_square(network, square, layer, in_chans)
        except AblationError:
            if square == _SQUARES[-1] and largest is None:
                raise
            continue
        largest = field if largest is None else max(largest, field)
        if not cut or square <= _SMALL_SQUARE:
            break
    assert largest is not None
    return largest


def _from_strips(network: nn.Module, width: int, layer: str | None, in_chans: int) -> Field:
    length = _FIRST_LENGTH
    while (rows := _line(network, (length, width), layer, in_chans)).cut and length < _LAST_LENGTH:
        length *= 2
    if rows.cut:
        return Field(length, length, whole_image=True)
    columns = _line(network, (width, length), layer, in_chans)
    return Field(rows.length, columns.length, offset=(rows.offset, columns.offset))


def _from_square(network: nn.Module, size: int, layer: str | None, in_chans: int) -> tuple[Field, bool]:
    """The field within a square image, and whether the image cuts it."""
    support, positions = _support(network, (size, size), layer, in_chans)
    rows, columns = (_Line.of(support.any(axis), n) for axis, n in zip((1, 0), positions, strict=True))
    field = Field(rows.length, columns.length, bool(support.all()), (rows.offset, columns.offset))
    return field, rows.cut or columns.cut


@dataclass(frozen=True)
class _Line:
    """The support along one side of an image: its length, where it begins, and whether the image cuts it."""

    length: int
    offset: int
    cut: bool

    @classmethod
    def of(cls, reached: Tensor, positions: int) -> _Line:
        inside = reached.nonzero()
        first, last = int(inside.min()), int(inside.max())
        stride = len(reached) / positions
        return cls(last - first + 1, first - round(positions // 2 * stride), bool(reached[0] or reached[-1]))


def _line(network: nn.Module, image: tuple[int, int], layer: str | None, in_chans: int) -> _Line:
    """The support along the longer side of a strip."""
    support, positions = _support(network, image, layer, in_chans)
    along = 0 if image[0] >= image[1] else 1
    return _Line.of(support.any(1 - along), positions[along])


def _support(
    network: nn.Module, image: tuple[int, int], layer: str | None, in_chans: int
) -> tuple[Tensor, tuple[int, int]]:
    """Which pixels have a gradient that is not exactly zero, (H, W) of bool; and the size of the feature map."""
    device, dtype = device_and_dtype(network)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, in_chans, *image, generator=generator, dtype=dtype).to(device)
    with preserving_state(network), _AllOpen():
        images.requires_grad_()
        name, features = last_map(network, images) if layer is None else (layer, map_of(network, images, layer))
        height, width = features.shape[2:]
        centre = features[0, :, height // 2, width // 2]
        weights = torch.randn(len(centre), generator=generator, dtype=dtype).to(device)
        (gradient,) = torch.autograd.grad((centre * weights).sum(), images, allow_unused=True)
    if gradient is None or not gradient.any():
        raise AblationError(f"nothing of the image reaches layer {name!r}: its gradient is zero everywhere")
    if not torch.isfinite(gradient).all():
        raise AblationError(f"the gradient of layer {name!r} is not finite in float64, so its support cannot be read")
    return (gradient != 0).any(1)[0].cpu(), (height, width)


def _draw(network: nn.Module) -> None:
    """Weights under which no path is closed: none is zero, and what multiplies is near 1."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            values = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            if parameter.ndim > 1 and parameter[0].numel() > 1:
                values /= math.sqrt(parameter[0].numel())
            elif not name.endswith("bias"):
                values = 1 + 0.2 * values.clamp(-2, 2)
            parameter.copy_(values)
        for part in network.modules():
            if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_var is not None:
                part.reset_running_stats()


def _own_size(network: nn.Module) -> int | None:
    """The one size that a network insists on, in pixels: that of timm's transformers, and of others that name one."""
    named: Any = getattr(getattr(network, "patch_embed", None), "img_size", None)
    strict = getattr(getattr(network, "patch_embed", None), "strict_img_size", True)
    cfg: Any = getattr(network, "pretrained_cfg", None) or {}
    if named is not None and strict:
        return int(named[0] if isinstance(named, tuple | list) else named)
    return int(cfg["input_size"][-1]) if cfg.get("fixed_input_size") else None


class _AllOpen(TorchFunctionMode):
    """Rectifiers pass everything and maxima are means of the same windows: the same support, with no path closed by chance."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _OPEN:
            return args[0] if args else kwargs["input"]
        if name == "max_pool2d":
            return _mean_pool(func, *args, **kwargs)
        return func(*args, **kwargs)


def _mean_pool(
    func: Callable[..., Any],
    input: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    if dilation not in (1, (1, 1), [1, 1]) or return_indices:
        return func(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    return F.avg_pool2d(input, kernel_size, stride, padding, ceil_mode)
