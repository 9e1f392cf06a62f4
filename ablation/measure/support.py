"""The exact theoretical receptive field of any network: the pixels that can influence one position of a feature map.

The support is the set of pixels with a nonzero gradient at that position, computed in float64. All weights are redrawn
so that none is zero; rectifiers are replaced by the identity and max-pooling by mean-pooling, so that no path is closed
by chance. Pixels with a gradient of exactly zero cannot influence the position, whatever the weights.
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

# In pixels. A width of 32 gives one position after a total stride of 32; without padding, narrow strips vanish.
_STRIP_WIDTHS = (32, 64, 128, 256, 512)
_FIRST_LENGTH, _LAST_LENGTH = 512, 8192
# In pixels, for networks that do not accept strips; the small sizes are for those that refuse large squares as well.
_SQUARES, _SMALL_SQUARE = (512, 1024, 256, 128, 64, 32), 256
_RECTIFIERS = (
    "relu",
    "relu_",
    "relu6",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "hardswish",
    "hardsigmoid",
)


class Field(int):
    """A theoretical receptive field: an int, the side in pixels.

    Attributes:
        whole_image: whether the position sees every pixel, however large the image; the int is then the side of the
            largest image tried.
        height, width: size of the support in pixels; the int is the larger of the two.
        offset: rows and columns from pixel (i * stride, j * stride) to the first pixel that position (i, j) sees, at
            most 0.
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
    """Return the side of the square of pixels that can influence the middle position of the last feature map.

    Measured on a copy in float64, on strips of increasing length: the field of a convnet has the same extent along a
    strip as in a square image, at a fraction of the cost. A network with a fixed input size is measured on a square of
    that size.

    Args:
        module: any network that takes (N, in_chans, H, W).
        size: side in pixels of a square image to use instead of strips; the field is clipped to it.
        layer: name of the layer whose map is used; by default the last layer that outputs a map.
        in_chans: channels of the image.

    Returns:
        The side in pixels, an int with the attribute `whole_image`.

    Raises:
        AblationError: if the module cannot be run, outputs no map, or has no layer of that name.

    >>> theoretical_receptive_field(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3)))
    8 px
    """
    network = copy.deepcopy(module).to(device=device_and_dtype(module)[0], dtype=torch.float64)
    _redraw(network)
    if size is not None:
        return _from_square(network, size, layer, in_chans)[0]
    fixed = _fixed_size(network)
    if fixed is not None:
        return _from_square(network, fixed, layer, in_chans)[0]
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
    while (rows := _strip_extent(network, (length, width), layer, in_chans)).cut and length < _LAST_LENGTH:
        length *= 2
    if rows.cut:
        return Field(length, length, whole_image=True)
    columns = _strip_extent(network, (width, length), layer, in_chans)
    return Field(rows.length, columns.length, offset=(rows.offset, columns.offset))


def _from_square(network: nn.Module, size: int, layer: str | None, in_chans: int) -> tuple[Field, bool]:
    """Return the field within a square image, and whether it reaches the edge."""
    support, positions = _support(network, (size, size), layer, in_chans)
    rows, columns = (_Extent.of(support.any(axis), n) for axis, n in zip((1, 0), positions, strict=True))
    field = Field(rows.length, columns.length, bool(support.all()), (rows.offset, columns.offset))
    return field, rows.cut or columns.cut


@dataclass(frozen=True)
class _Extent:
    """The support along one side of an image: its length, its offset, and whether it reaches the edge."""

    length: int
    offset: int
    cut: bool

    @classmethod
    def of(cls, reached: Tensor, positions: int) -> _Extent:
        inside = reached.nonzero()
        first, last = int(inside.min()), int(inside.max())
        stride = len(reached) / positions
        return cls(last - first + 1, first - round(positions // 2 * stride), bool(reached[0] or reached[-1]))


def _strip_extent(network: nn.Module, image: tuple[int, int], layer: str | None, in_chans: int) -> _Extent:
    """Return the support along the longer side of a strip."""
    support, positions = _support(network, image, layer, in_chans)
    along = 0 if image[0] >= image[1] else 1
    return _Extent.of(support.any(1 - along), positions[along])


def _support(
    network: nn.Module, image: tuple[int, int], layer: str | None, in_chans: int
) -> tuple[Tensor, tuple[int, int]]:
    """Return the pixels whose gradient is not exactly zero, (H, W) bool, and the size of the feature map."""
    device, dtype = device_and_dtype(network)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(1, in_chans, *image, generator=generator, dtype=dtype).to(device)
    with preserving_state(network), _OpenPaths():
        images.requires_grad_()
        name, features = last_map(network, images) if layer is None else (layer, map_of(network, images, layer))
        height, width = features.shape[2:]
        centre = features[0, :, height // 2, width // 2]
        weights = torch.randn(len(centre), generator=generator, dtype=dtype).to(device)
        (gradient,) = torch.autograd.grad((centre * weights).sum(), images, allow_unused=True)
    if gradient is None or not gradient.any():
        raise AblationError(f"layer {name!r} does not depend on the image: its gradient is zero everywhere")
    if not torch.isfinite(gradient).all():
        raise AblationError(
            f"the gradient of layer {name!r} is not finite in float64, so its support cannot be determined"
        )
    return (gradient != 0).any(1)[0].cpu(), (height, width)


def _redraw(network: nn.Module) -> None:
    """Draw weights that close no path: none is zero, and multiplicative factors are near 1."""
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


def _fixed_size(network: nn.Module) -> int | None:
    """Return the fixed input size in pixels that a network declares, as timm's transformers do, or None."""
    declared: Any = getattr(getattr(network, "patch_embed", None), "img_size", None)
    strict = getattr(getattr(network, "patch_embed", None), "strict_img_size", True)
    cfg: Any = getattr(network, "pretrained_cfg", None) or {}
    if declared is not None and strict:
        return int(declared[0] if isinstance(declared, tuple | list) else declared)
    return int(cfg["input_size"][-1]) if cfg.get("fixed_input_size") else None


class _OpenPaths(TorchFunctionMode):
    """Replace rectifiers by the identity and max-pooling by mean-pooling: the same support, without closed paths."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _RECTIFIERS:
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
