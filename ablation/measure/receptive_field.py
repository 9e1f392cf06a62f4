"""The effective receptive field: how much each pixel of the image contributes to one position of the last feature map.

Proposed by Luo, Li, Urtasun and Zemel 2016 (arXiv 1701.04128); computed as in figure 1 of RepLKNet (Ding et al. 2022,
arXiv 2203.06717): the gradient of the rectified centre of the last map with respect to the image, rectified, summed
over channels and averaged over images. RepLKNet's side lengths are based on log10(map + 1); here the scale is an
explicit option, linear by default. The theoretical receptive field is in `support`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import AblationError, unknown
from .features import Place, find_map
from .memory import Saving, chunk_for
from .modes import as_images, preserving_state

SHARES = (0.2, 0.3, 0.5, 0.99)
SCALES = ("linear", "log")
_ALMOST_CLOSED = 1e-3
_NOT_FACTORS = ("bias", "token", "tokens", "embed")  # suffixes of parameters that are not multiplied with anything
_EMPTY = "the map is zero everywhere: the centre of the last feature map depends on no pixel"


class FieldWarning(UserWarning):
    """Warning that a field is unreliable: the image is smaller than the field, or the residual branches are closed."""


@dataclass(frozen=True)
class ERF:
    """An effective receptive field.

    Args:
        map: (H, W), linear: the mean over images of the rectified gradient, summed over channels. Not normalised.
        images: number of images averaged.
        layer: name of the layer whose central position was used.
        positions: height and width of that layer's map.
        cut: whether the map is nonzero at the edge of the image, so that part of the field lies outside it.
    """

    map: NDArray[np.float64]
    images: int
    layer: str
    positions: tuple[int, int]
    cut: bool

    def side(self, share: float, scale: str = "linear") -> int:
        """Return the side in pixels of the smallest central square of the image that holds a share of the map.

        The side is odd, as in RepLKNet; the square is clipped at the edge of the image.

        Args:
            share: share of the map's sum, greater than 0 and less than 1.
            scale: "linear" for the map itself, or "log" for log10(map + 1), on which RepLKNet's published sides are
                based and which gives far larger sides.

        Raises:
            AblationError: for an invalid share or scale, or if the map is zero everywhere.
        """
        return int(self._half(share, scale) * 2 + 1)

    def area(self, share: float, scale: str = "linear") -> float:
        """Return the share of the image that the square of `side` covers, from 0 to 1."""
        half = self._half(share, scale)
        rows, columns = (_covered(length, half) for length in self.map.shape)
        return rows * columns / self.map.size

    @property
    def centroid(self) -> tuple[float, float]:
        """Row and column of the centre of mass, in pixels from the centre of the first pixel.

        If it is not in the middle of the image, the squares of `side` are larger than the field: the field of a
        ResNet's middle position, 3 of 0 to 6, is centred at pixel 96 of 224; that of a ConvNeXt is centred at 111.5.
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
        """Return half the side of the square: the distance in pixels from the middle pixel to its edge."""
        if not 0 < share < 1:
            raise AblationError(f"share {share!r} must lie between 0 and 1; 0.5, for example, is half of the map")
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
    layout: str | None = None,
) -> ERF:
    """Compute how much each pixel contributes to the centre of the last feature map.

    The network runs in eval mode, so batch statistics do not mix images; its state is restored afterwards.

    Args:
        module: any network, on any device.
        images: (N, C, H, W), normalised as the network expects.
        layer: name of the layer whose map is used; by default the last layer that outputs a map.
        chunk: images processed at a time; by default as many as fit into free memory.
        progress: called after each chunk with (images done, total images).
        layout: layout of that layer's output, if it cannot be told: "NCHW", "NHWC", "NLC" (tokens), or "NLC+k" (tokens after
            k class or register tokens).

    Returns:
        The effective receptive field.

    Raises:
        AblationError: if the module cannot be run on the images, outputs no map, or has weights that are not finite.

    Warns:
        FieldWarning: if the field reaches the edge of the image, so that the image is too small for it; or if initial
            values (norm weights of zero, layer scale of 1e-6) close the residual branches, so that the map shows little
            more than the field of the stem.
    """
    if chunk is not None and chunk < 1:
        raise AblationError(f"chunk {chunk} must be 1 or more")
    images = as_images(module, images)
    closed = closed_branches(module)
    if closed:
        warnings.warn(
            f"{len(closed)} factors of {type(module).__name__}, such as {closed[0]}, are zero or almost zero, as at "
            "initialisation: the residual branches are closed and the map shows little more than the field of the stem. "
            "Load weights, or use open_branches",
            FieldWarning,
            stacklevel=2,
        )
    with preserving_state(module):
        with Saving(module) as saving:
            place, total = _gradient(module, images[:1], layer, layout)
        done = 1
        chunk = chunk or chunk_for(saving.bytes, images)
        while done < len(images):
            if progress:
                progress(done, len(images))
            part = images[done : done + chunk]
            total += _gradient(module, part, place.layer, place.layout.form)[1]
            done += len(part)
    if progress:
        progress(done, len(images))
    field = (total / len(images)).numpy()
    cut = bool(field[0].any() or field[-1].any() or field[:, 0].any() or field[:, -1].any())
    if cut:
        height, width = field.shape
        warnings.warn(
            f"the field of {type(module).__name__} reaches the edge of the {height} x {width} image, so part of it is cut "
            "off; use larger images to see the whole field",
            FieldWarning,
            stacklevel=2,
        )
    positions = (place.layout.height, place.layout.width)
    return ERF(field, len(images), place.layer, positions, cut)


def _gradient(module: nn.Module, images: Tensor, layer: str | None, layout: str | None) -> tuple[Place, Tensor]:
    """Return the layer, and the rectified gradient of its rectified centre, summed over images and channels, (H, W)."""
    images = images.detach().requires_grad_()
    place = find_map(module, images, layer, layout)
    centre = place.map[:, :, place.layout.height // 2, place.layout.width // 2]
    if not torch.isfinite(centre).all():
        raise AblationError(f"layer {place.layer!r} of {type(module).__name__} outputs NaN or infinity")
    (gradient,) = torch.autograd.grad(centre.relu().sum(), images)
    return place, gradient.relu().sum((0, 1), dtype=torch.float64).cpu()


def _covered(length: int, half: int) -> int:
    """Return how many pixels of a line of this length lie within `half` pixels of its middle pixel."""
    middle = length // 2
    return min(middle + half, length - 1) - max(middle - half, 0) + 1


def closed_branches(module: nn.Module) -> list[str]:
    """Return the names of the norm weights and layer scales that close a residual branch because they are almost zero."""
    return [
        name
        for name, parameter in module.named_parameters()
        if not name.endswith(_NOT_FACTORS)
        and parameter.numel() == max(parameter.shape, default=1)  # one value per channel, in any shape
        and parameter.numel() > 1
        and bool((parameter.detach().abs() < _ALMOST_CLOSED).all())
    ]


def open_branches(module: nn.Module) -> nn.Module:
    """Set every factor that closes a residual branch to 1, in place, and return the module.

    Useful for random weights.
    """
    parameters = dict(module.named_parameters())
    with torch.no_grad():
        for name in closed_branches(module):
            parameters[name].fill_(1.0)
    return module
