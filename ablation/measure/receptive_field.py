"""What one position of the last feature map sees of the image: all that can reach it, and what in fact weighs.

Theoretical: the exact support, read off the gradient of one position in float64. Every weight is drawn anew, so that none is
zero; rectifiers pass everything and maxima become means meanwhile, so that no path is closed by chance. What the gradient is
exactly zero for cannot reach the position, whatever the weights.

Effective (Luo, Li, Urtasun, Zemel 2016, arXiv 1701.04128), computed as for figure 1 of RepLKNet (Ding et al. 2022, arXiv
2203.06717): the gradient of the rectified centre of the last map with respect to the image, rectified, summed over channels,
averaged over images. RepLKNet reads its side lengths off log10(map + 1); we state which scale is meant and take the linear one by
default.
"""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from ..errors import AblationError, unknown
from .features import last_map, map_of
from .memory import Saving, chunk_for
from .modes import as_images, device_and_dtype, looking

SHARES = (0.2, 0.3, 0.5, 0.99)
SCALES = ("linear", "log")
# Pixels. 32 leave one position after a stride of 32; without padding, nothing is left of a narrow strip.
_STRIP_WIDTHS = (32, 64, 128, 256, 512)
_FIRST_LENGTH, _LAST_LENGTH = 512, 8192
# Pixels, for networks that refuse a strip; the small ones for those that refuse large squares as well.
_SQUARES, _SMALL_SQUARE = (512, 1024, 256, 128, 64, 32), 256
_OPEN = ("relu", "relu_", "relu6", "hardtanh", "hardtanh_", "leaky_relu", "leaky_relu_", "hardswish", "hardsigmoid")
_ALMOST_CLOSED = 1e-3
_NO_FACTOR = ("bias", "token", "tokens", "embed")  # how parameters end that multiply nothing
_EMPTY = "the map is zero everywhere: the centre of the last feature map depends on no pixel"


class FieldWarning(UserWarning):
    """The image is smaller than the field, or the network's branches are still closed: the numbers mean less than they seem."""


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
    with looking(network), _AllOpen():
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


@dataclass(frozen=True)
class ERF:
    """An effective receptive field.

    Args:
        map: (H, W), linear: the mean over images of the rectified gradient, summed over channels. Not normalised.
        images: how many it is the mean of.
        layer: whose centre was looked from.
        positions: height and width of that layer's map.
        cut: something weighs on the very edge of the image, so that what lies beyond it is not seen.
    """

    map: NDArray[np.float64]
    images: int
    layer: str
    positions: tuple[int, int]
    cut: bool

    def side(self, share: float, scale: str = "linear") -> int:
        """Side in pixels of the smallest square around the middle of the image that holds a share of the map.

        Odd, as in RepLKNet; beyond the edge of the image the square is cut.

        Args:
            share: from 0 to 1, both left out.
            scale: "linear", the map as it is; "log", log10(map + 1), which RepLKNet's published sides are read from and which
                gives far larger ones.

        Raises:
            AblationError: for another share or scale, or a map of zeros.
        """
        return int(self._half(share, scale) * 2 + 1)

    def area(self, share: float, scale: str = "linear") -> float:
        """The share of the image that this square covers, from 0 to 1."""
        half = self._half(share, scale)
        rows, columns = (_covered(length, half) for length in self.map.shape)
        return rows * columns / self.map.size

    @property
    def centroid(self) -> tuple[float, float]:
        """Row and column of the centre of mass, in pixels from the first pixel's middle.

        Where it is off the middle of the image the squares of `side` are larger than the field: the middle position of a
        ResNet, 3 of 0 to 6, looks at pixel 96 of 224, that of a ConvNeXt at 111.5.
        """
        total = self.map.sum()
        if not total > 0:
            raise AblationError(_EMPTY)
        rows, columns = self.map.sum(1), self.map.sum(0)
        return (
            float((rows * np.arange(len(rows))).sum() / total),
            float((columns * np.arange(len(columns))).sum() / total),
        )

    def _half(self, share: float, scale: str) -> int:
        """Pixels from the middle one to the side of the square."""
        if not 0 < share < 1:
            raise AblationError(f"share {share!r} must lie between 0 and 1, such as 0.5 for half of the map")
        if scale not in SCALES:
            raise unknown("scale", scale, SCALES)
        values = self.map if scale == "linear" else np.log10(self.map + 1)
        total = values.sum()
        if not total > 0:
            raise AblationError(_EMPTY)
        row, column = (length // 2 for length in values.shape)
        distance = np.maximum(
            abs(np.arange(values.shape[0]) - row)[:, None], abs(np.arange(values.shape[1]) - column)[None, :]
        )
        within = np.cumsum(np.bincount(distance.ravel(), weights=values.ravel()))
        return int(np.searchsorted(within, share * total))


def effective_receptive_field(
    module: nn.Module,
    images: Tensor,
    layer: str | None = None,
    chunk: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ERF:
    """How much each pixel weighs in the centre of the last feature map.

    The network is in eval mode, so statistics of the batch do not leak from image to image, and is left as it was.

    Args:
        module: any network, on any device.
        images: (N, C, H, W), normalised as the network expects.
        layer: name of the layer whose map is meant; by default the last that puts out a map.
        chunk: images at a time; by default as many as fit into free memory.
        progress: called after each chunk with (images done, images in all).

    Returns:
        The map and what can be read off it.

    Raises:
        AblationError: if the module cannot be run on the images, puts out no map, or holds weights that are not finite.

    Warns:
        FieldWarning: where the field reaches the edge of the image, so that the image is too small for it; and where initial
            values (norms of zero, layer scale of 1e-6) close the residual branches, so that little more than the stem shows.
    """
    if chunk is not None and chunk < 1:
        raise AblationError(f"chunk {chunk} must be 1 or more")
    images = as_images(module, images)
    closed = closed_branches(module)
    if closed:
        warnings.warn(
            f"{len(closed)} factors of {type(module).__name__}, such as {closed[0]}, are zero or nearly so, as at their initial "
            "values: the residual branches are closed and the map shows little more than the stem. Load weights, or use "
            "open_branches",
            FieldWarning,
            stacklevel=2,
        )
    with looking(module):
        with Saving(module) as saving:
            name, total, positions = _gradient(module, images[:1], layer)
        done = 1
        chunk = chunk or chunk_for(saving.bytes, images)
        while done < len(images):
            if progress:
                progress(done, len(images))
            part = images[done : done + chunk]
            total += _gradient(module, part, name)[1]
            done += len(part)
    if progress:
        progress(done, len(images))
    field = (total / len(images)).numpy()
    cut = bool(field[0].any() or field[-1].any() or field[:, 0].any() or field[:, -1].any())
    if cut:
        height, width = field.shape
        warnings.warn(
            f"the field of {type(module).__name__} reaches the edge of the {height} x {width} image: what lies beyond is not "
            "seen. Larger images show the whole of it",
            FieldWarning,
            stacklevel=2,
        )
    return ERF(field, len(images), name, positions, cut)


def _gradient(module: nn.Module, images: Tensor, layer: str | None) -> tuple[str, Tensor, tuple[int, int]]:
    """The layer; the rectified gradient of its rectified centre, summed over images and channels, (H, W); its map's size."""
    images = images.detach().requires_grad_()
    name, features = last_map(module, images) if layer is None else (layer, map_of(module, images, layer))
    centre = features[:, :, features.shape[2] // 2, features.shape[3] // 2]
    if not torch.isfinite(centre).all():
        raise AblationError(f"layer {name!r} of {type(module).__name__} puts out NaN or infinity")
    (gradient,) = torch.autograd.grad(centre.relu().sum(), images)
    summed = gradient.relu().sum((0, 1), dtype=torch.float64).cpu()
    return name, summed, (features.shape[2], features.shape[3])


def _covered(length: int, half: int) -> int:
    """Pixels of a line that lie within half of its middle pixel."""
    middle = length // 2
    return min(middle + half, length - 1) - max(middle - half, 0) + 1


def closed_branches(module: nn.Module) -> list[str]:
    """Names of the factors that close a residual branch: norm weights and layer scales that are zero or nearly so throughout."""
    return [
        name
        for name, parameter in module.named_parameters()
        if not name.endswith(_NO_FACTOR)
        and parameter.numel() == max(parameter.shape, default=1)  # one number a channel, in whatever shape
        and parameter.numel() > 1
        and bool((parameter.detach().abs() < _ALMOST_CLOSED).all())
    ]


def open_branches(module: nn.Module) -> nn.Module:
    """Set every factor that closes a residual branch to 1, in place, and return the module. For looking at random weights."""
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name in closed_branches(module):
            parameters[name].fill_(1.0)
    return module
