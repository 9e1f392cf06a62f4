"""What one position of the last feature map sees of the image, by how much the pixels weigh: the effective receptive field.

After Luo, Li, Urtasun and Zemel 2016 (arXiv 1701.04128), computed as for figure 1 of RepLKNet (Ding et al. 2022, arXiv
2203.06717): the gradient of the rectified centre of the last map with respect to the image, rectified, summed over channels,
averaged over images. RepLKNet reads its side lengths off log10(map + 1); we state which scale is meant and take the linear one by
default. What can reach the position at all is in `support`.
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
from .features import last_map, map_of
from .memory import Saving, chunk_for
from .modes import as_images, preserving_state

SHARES = (0.2, 0.3, 0.5, 0.99)
SCALES = ("linear", "log")
_ALMOST_CLOSED = 1e-3
_NO_FACTOR = ("bias", "token", "tokens", "embed")  # how parameters end that multiply nothing
_EMPTY = "the map is zero everywhere: the centre of the last feature map depends on no pixel"


class FieldWarning(UserWarning):
    """The image is smaller than the field, or the network's branches are still closed: the numbers mean less than they seem."""


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
    with preserving_state(module):
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
