"""Photographs as tensors: from files, from a folder, or eight that scikit-image and scikit-learn ship.

Pixels are numbers from 0 (black) to 1; `normalise` turns them into what a network was trained on. What a file holds is brought to
8-bit colour, and said: grey becomes three equal channels, transparency is laid on white, 16 bits are scaled to 8, a camera's
rotation is applied. Reading a picture needs no torch; making a tensor of it does.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import AblationError

if TYPE_CHECKING:
    from torch import Tensor, nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
_ORIENTATION = 0x0112  # the tag of a camera's rotation
_WHITE_16 = 65535
_SMALLEST_SIDE = 8  # pixels; less is a dot, not a picture


@dataclass(frozen=True)
class Photograph:
    """A photograph inside a package.

    Args:
        name: short.
        package, file: where it lies.
        licence, source: under which terms, and by whom.
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
        file: where it lies.
        pixels: an RGB image of 8 bits.
        notes: what was changed on the way, in words; empty for a plain colour image.
    """

    file: Path
    pixels: Image.Image
    notes: tuple[str, ...]

    def square(self, size: int, in_chans: int = 3) -> Tensor:
        """The middle square, scaled: (in_chans, size, size) from 0 to 1. One channel is the luminance."""
        if in_chans not in (1, 3):
            raise AblationError(f"a picture has 1 or 3 channels, and {in_chans} were asked for: give tensors instead")
        if size < 1:
            raise AblationError(f"size {size} must be 1 pixel or more")
        import torch

        fitted = ImageOps.fit(self.pixels, (size, size), Image.Resampling.BICUBIC)
        array = np.asarray(fitted.convert("L" if in_chans == 1 else "RGB"), dtype=np.float32) / 255
        return torch.from_numpy(array if array.ndim == 3 else array[..., None]).permute(2, 0, 1).contiguous()


def read_picture(file: str | Path) -> Picture:
    """Read an image file.

    Args:
        file: of any format that Pillow reads.

    Returns:
        8-bit colour, with what was changed in `notes`.

    Raises:
        AblationError: if there is no such file, it is no image or a damaged one, or a side is under 8 pixels.
    """
    path = Path(file)
    if not path.is_file():
        raise AblationError(f"there is no image file {file}")
    try:
        with warnings.catch_warnings(), Image.open(path) as opened:
            warnings.simplefilter("ignore")  # Pillow's, of large or oddly tagged files that it can read
            opened.load()
            rotated = opened.getexif().get(_ORIENTATION, 1) in range(2, 9)
            image: Image.Image = ImageOps.exif_transpose(opened)
    except UnidentifiedImageError:
        raise AblationError(
            f"{file} is not an image, whatever its name says. Possible: {', '.join(SUFFIXES)}"
        ) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise AblationError(f"{file} could not be read as an image: {error}") from None
    if min(image.size) < _SMALLEST_SIDE:
        width, height = image.size
        raise AblationError(f"{file} is {width} x {height} pixels: both sides must have {_SMALLEST_SIDE} or more")
    image, notes = _to_rgb(image, path)
    return Picture(path, image, (*notes, *(["rotated as the camera says"] if rotated else [])))


def _to_rgb(image: Image.Image, path: Path) -> tuple[Image.Image, list[str]]:
    """8-bit colour, and what that took."""
    notes = []
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.float64)
        if values.min() < 0 or values.max() > _WHITE_16:
            raise AblationError(
                f"{path} holds whole numbers of 32 bits, which have no fixed white: save it as 8 or 16 bits"
            )
        notes.append("16 bits scaled to 8")
        clear_value = image.info.get("transparency")
        if isinstance(clear_value, int) and (values == clear_value).any():
            notes.append("transparency laid on white")
            values[values == clear_value] = _WHITE_16
        image = Image.fromarray((values * 255 / _WHITE_16).round().astype(np.uint8))
    elif image.mode == "F":
        raise AblationError(f"{path} holds floating-point numbers, which have no fixed white: save it as 8 or 16 bits")
    if image.mode in ("1", "L", "LA", "La"):
        notes.append("grey taken as three equal channels")
    if image.has_transparency_data:
        notes.append("transparency laid on white")
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
    return image.convert("RGB"), notes


def read_folder(folder: str | Path) -> list[Picture]:
    """Every image file right inside a folder, in the order of their names.

    Raises:
        AblationError: if it is no folder, holds no image file, or one of them cannot be read.
    """
    path = Path(folder)
    if not path.is_dir():
        raise AblationError(f"there is no folder {folder}")
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise AblationError(f"there is no image right inside {folder}. Possible: {', '.join(SUFFIXES)}")
    return [read_picture(file) for file in files]


def photographs(size: int = 224, in_chans: int = 3) -> Tensor:
    """Eight photographs from scikit-image and scikit-learn: (8, in_chans, size, size) from 0 to 1, in the order of PHOTOGRAPHS.

    Their licences are in `PHOTOGRAPHS`; nothing is downloaded.

    Args:
        size: side in pixels.
        in_chans: 3, or 1 for luminance.
    """
    import torch

    return torch.stack([photograph(entry.name).square(size, in_chans) for entry in PHOTOGRAPHS])


def photograph(name: str) -> Picture:
    """One of `PHOTOGRAPHS`, by name."""
    from importlib.util import find_spec

    from ..errors import unknown

    entries = {entry.name: entry for entry in PHOTOGRAPHS}
    if name not in entries:
        raise unknown("photograph", name, entries)
    spec = find_spec(entries[name].package)
    if spec is None or spec.origin is None:
        raise AblationError(f"the photograph {name!r} lies in the package {entries[name].package}, which is missing")
    return read_picture(Path(spec.origin).parent / entries[name].file)


def normalisation(module: nn.Module, in_chans: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation that a network expects: those that a timm model names, otherwise ImageNet's for colour images.

    Raises:
        AblationError: for an unnamed network of other than three channels, where nobody can know.
    """
    named: Any = getattr(module, "pretrained_cfg", None) or {}
    mean, std = named.get("mean"), named.get("std")
    if mean and std and len(mean) == in_chans:
        return tuple(mean), tuple(std)
    if in_chans == len(IMAGENET_MEAN):
        return IMAGENET_MEAN, IMAGENET_STD
    raise AblationError(f"give mean and std: for images of {in_chans} channels there is no usual normalisation")


def normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """(images - mean) / std, channel by channel: (N, C, H, W).

    Raises:
        AblationError: if mean or std do not fit the channels, or std is not above 0.
    """
    if any(not value > 0 for value in std):
        raise AblationError(f"std must be above 0 in every channel, not {list(std)}")
    return (images - _per_channel(mean, images)) / _per_channel(std, images)


def denormalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Pixels from 0 to 1 again: (N, C, H, W)."""
    return images * _per_channel(std, images) + _per_channel(mean, images)


def _per_channel(values: Sequence[float], images: Tensor) -> Tensor:
    if len(values) not in (1, images.shape[1]) or any(value != value for value in values):
        raise AblationError(f"mean and std must have {images.shape[1]} values, one a channel, not {list(values)}")
    import torch

    return torch.tensor(list(values), dtype=images.dtype, device=images.device)[:, None, None]
