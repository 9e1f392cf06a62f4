"""Photographs as tensors: from a file, from a folder, or the eight that ship with scikit-image and scikit-learn.

Pixels are numbers from 0 (black) to 1 (white); `normalise` converts them to the input of a network. Files are read by
`ablation.pictures`, as those of training are, and every conversion is recorded. Reading a picture does not import torch;
making a tensor does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps

from ..errors import AblationError
from ..pictures import SUFFIXES, printable, read_rgb
from .sizes import is_positive

if TYPE_CHECKING:
    from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_SMALLEST_SIDE = 8  # pixels


@dataclass(frozen=True)
class Photograph:
    """A photograph that ships with a package.

    Args:
        name: short name.
        package, file: package, and path of the file in it.
        licence, source: licence and author.
    """

    name: str
    package: str
    file: str
    licence: str
    source: str


PHOTOGRAPHS = (
    Photograph("astronaut", "skimage", "data/astronaut.png", "public domain", "NASA, Eileen Collins"),
    Photograph("cat", "skimage", "data/chelsea.png", "CC0", "Stefan van der Walt, Chelsea"),
    Photograph("coffee", "skimage", "data/coffee.png", "CC0", "Rachel Michetti, Pikolo Espresso Bar"),
    Photograph("rocket", "skimage", "data/rocket.jpg", "public domain", "SpaceX, DSCOVR on Falcon 9"),
    Photograph("galaxies", "skimage", "data/hubble_deep_field.jpg", "public domain", "NASA, Hubble eXtreme Deep Field"),
    Photograph("photographer", "skimage", "data/camera.png", "CC0", "Lav Varshney"),
    Photograph("temple", "sklearn", "datasets/images/china.jpg", "CC BY 2.0", "danielbuechele, flickr"),
    Photograph("flower", "sklearn", "datasets/images/flower.jpg", "CC BY 2.0", "vultilion, flickr"),
)


@dataclass(frozen=True)
class Picture:
    """An image file as read.

    Args:
        file: path of the file.
        pixels: 8-bit RGB image.
        notes: the conversions applied, as text; empty for an ordinary RGB image.
    """

    file: Path
    pixels: Image.Image
    notes: tuple[str, ...]

    def square(self, size: int, in_chans: int = 3) -> Tensor:
        """Return the centre square, resized: (in_chans, size, size), from 0 to 1. A single channel is the luminance."""
        if in_chans not in (1, 3):
            raise AblationError(f"a picture has 1 or 3 channels, not {in_chans}: give tensors instead")
        if not is_positive(size):
            raise AblationError(f"size {size!r} must be 1 pixel or more")
        import torch

        fitted = ImageOps.fit(self.pixels, (size, size), Image.Resampling.BICUBIC)
        array = np.asarray(fitted.convert("L" if in_chans == 1 else "RGB"), dtype=np.float32) / 255
        return torch.from_numpy(array if array.ndim == 3 else array[..., None]).permute(2, 0, 1).contiguous()


def read_picture(file: str | Path) -> Picture:
    """Read an image file.

    Args:
        file: PNG, JPEG, BMP, GIF, TIFF, WebP, PPM or PGM.

    Returns:
        The image in 8-bit RGB, with the conversions applied in `notes`.

    Raises:
        AblationError: if the file does not exist, is not an image or is damaged, or if a side is shorter than 8 pixels.
    """
    image, notes = read_rgb(file)
    if min(image.size) < _SMALLEST_SIDE:
        width, height = image.size
        raise AblationError(
            f"{printable(file)} is {width} x {height} pixels: both sides must be {_SMALLEST_SIDE} pixels or more"
        )
    return Picture(Path(file), image, notes)


def read_folder(folder: str | Path) -> list[Picture]:
    """Read every image file in a folder, sorted by name; subfolders and hidden files are left out.

    Raises:
        AblationError: if the folder does not exist, contains no image file, or one of the files cannot be read.
    """
    path = Path(folder)
    if not path.is_dir():
        raise AblationError(f"there is no folder {printable(folder)}")
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise AblationError(f"the folder {printable(folder)} may not be read: {error.strerror}") from None
    files = [file for file in entries if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
    if not files:
        raise AblationError(
            f"there is no image file in {folder} (subfolders are not searched). Possible: {', '.join(SUFFIXES)}"
        )
    return [read_picture(file) for file in files]


def photographs(size: int = 224, in_chans: int = 3) -> Tensor:
    """Return eight photographs from scikit-image and scikit-learn: (8, in_chans, size, size), from 0 to 1.

    The order and the licences are those of `PHOTOGRAPHS`. Nothing is downloaded.

    Args:
        size: side in pixels.
        in_chans: 3, or 1 for luminance.
    """
    import torch

    return torch.stack([photograph(entry.name).square(size, in_chans) for entry in PHOTOGRAPHS])


def photograph(name: str) -> Picture:
    """Read one of `PHOTOGRAPHS` by name."""
    from importlib.util import find_spec

    from ..errors import unknown

    entries = {entry.name: entry for entry in PHOTOGRAPHS}
    if name not in entries:
        raise unknown("photograph", name, entries)
    spec = find_spec(entries[name].package)
    if spec is None or spec.origin is None:
        raise AblationError(
            f"the photograph {name!r} is in the package {entries[name].package}, which is not installed"
        )
    return read_picture(Path(spec.origin).parent / entries[name].file)


def normalisation(module: nn.Module, in_chans: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and standard deviation that a network expects.

    These are the values in a timm model's `pretrained_cfg`; otherwise ImageNet's, for images of three channels.

    Raises:
        AblationError: if the network has no such configuration and the images do not have three channels.
    """
    config: Any = getattr(module, "pretrained_cfg", None) or {}
    mean, std = config.get("mean"), config.get("std")
    if mean and std and len(mean) == in_chans:
        return tuple(mean), tuple(std)
    if in_chans == len(IMAGENET_MEAN):
        return IMAGENET_MEAN, IMAGENET_STD
    raise AblationError(f"give mean and std: there is no default normalisation for images with {in_chans} channels")


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return (images - mean) / std per channel: (N, C, H, W).

    Raises:
        AblationError: if mean or std do not match the number of channels, or std is not above 0.
    """
    if any(not value > 0 for value in std):
        raise AblationError(f"std must be above 0 in every channel, not {list(std)}")
    return (images - _per_channel(mean, images)) / _per_channel(std, images)


def denormalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return images * std + mean per channel, the inverse of `normalise`: (N, C, H, W)."""
    return images * _per_channel(std, images) + _per_channel(mean, images)


def _per_channel(values: Sequence[float], images: Tensor) -> Tensor:
    if len(values) not in (1, images.shape[1]) or any(value != value for value in values):
        raise AblationError(f"mean and std must have {images.shape[1]} values, one per channel, not {list(values)}")
    import torch

    return torch.tensor(list(values), dtype=images.dtype, device=images.device)[:, None, None]
