"""Image files read in worker processes, in chunks of a few, and the memory that they need.

The random draws for an image depend only on the seed, the epoch and the index of the image, not on how batches are split into
parts and chunks, nor on the number of workers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.data.random_erasing import RandomErasing
from torch import Tensor
from torch.utils.data import Dataset

from ..environment import free_memory
from ..errors import AblationError
from ..pictures import printable, read_rgb
from .erasing import Rectangle, draw_erasing


@dataclass(frozen=True)
class Request:
    """The images of a chunk, for a worker.

    Args:
        indices: of the images in the data set.
        seed_and_epoch: on which the draws depend, or None where nothing is drawn.
    """

    indices: list[int]
    seed_and_epoch: tuple[int, int] | None = None


@dataclass
class Chunk:
    """Images as a worker sends them: in 8 bits, which are four times smaller than normalised ones.

    Args:
        images: (N, C, H, W), uint8.
        labels: of the images.
        rectangles: what is to be erased after normalisation.
        noise: (M,), for the rectangles.
    """

    images: Tensor
    labels: list[int]
    rectangles: list[Rectangle]
    noise: Tensor

    def pin_memory(self, device: str | None = None) -> Chunk:
        """Return the chunk in pinned memory, from which a GPU copies while it computes; `DataLoader` calls this method."""
        noise = self.noise.pin_memory() if self.rectangles else self.noise
        return Chunk(self.images.pin_memory(), self.labels, self.rectangles, noise)


class Building:
    """A chunk to which images are added.

    Args:
        erasing: timm's random erasing, whose draws follow those of the transform of each image; or None.
    """

    def __init__(self, erasing: RandomErasing | None) -> None:
        self._erasing, self._images, self._labels = erasing, list[Tensor](), list[int]()
        self._rectangles, self._noise = list[Rectangle](), [torch.empty(0)]

    def __len__(self) -> int:
        return len(self._images)

    def add(self, image: Tensor, label: int) -> None:
        """Add an image (C, H, W) in 8 bits, and draw what is erased in it."""
        if self._erasing is not None:
            for place, noise in draw_erasing(self._erasing, image.shape):
                self._rectangles.append((len(self), *place))
                self._noise.append(noise)
        self._images.append(image)
        self._labels.append(label)

    def chunk(self) -> Chunk:
        """Return the images that were added."""
        return Chunk(torch.stack(self._images), self._labels, self._rectangles, torch.cat(self._noise))


class ImageFiles(Dataset[Any]):
    """Image files, labels and a transform from an RGB image to a tensor.

    Args:
        files: image files.
        labels: (N,), of the files.
        transform: from an RGB image to (C, H, W) uint8.
        side: size that every image must have, or None for any.
        erasing: timm's random erasing, applied after normalisation, or None.
    """

    def __init__(
        self,
        files: Sequence[Path],
        labels: NDArray[np.int64],
        transform: Callable[[Any], Tensor],
        side: int | None = None,
        erasing: RandomErasing | None = None,
    ) -> None:
        self.files, self.labels, self.transform = files, labels, transform
        self.side, self.erasing = side, erasing

    def __len__(self) -> int:
        return len(self.labels)

    def read(self, i: int) -> tuple[Any, int]:
        """Return an image in RGB and its label.

        Raises:
            AblationError: if it cannot be read, or has another size than it must have.
        """
        image = read_rgb(self.files[i])[0] if self.side is None else read_square(self.files[i], self.side)
        return image, int(self.labels[i])

    def __getitems__(self, request: Request) -> Chunk | AblationError:
        building = Building(self.erasing)
        for i in request.indices:
            try:
                image, label = self.read(i)
            except AblationError as error:
                return error  # raised by `stream`: a worker's own exception arrives with its traceback in the message
            if request.seed_and_epoch is not None:
                seed_image(*request.seed_and_epoch, i)
            building.add(self.transform(image), label)
        return building.chunk()


def seed_image(*numbers: int) -> None:
    """Seed the three generators from which timm's transforms draw."""
    seed = int(np.random.SeedSequence(numbers).generate_state(1)[0])
    random.seed(seed)
    np.random.seed(seed)
    torch.default_generator.manual_seed(seed)  # the CPU's alone: `torch.manual_seed` takes 0.3 ms to ask for all others


def read_square(file: Path, side: int) -> Any:
    """Return an image in RGB that has `side` x `side` pixels.

    Raises:
        AblationError: if it has another size, or cannot be read.
    """
    image, _ = read_rgb(file)
    if image.size != (side, side):
        raise AblationError(
            f"{printable(file)} is {image.width} x {image.height} pixels, but other images of the data set are "
            f"{side} x {side}: resize all images to the same size, or train with a recipe that crops (crop_scale)"
        )
    return image


def pixels(image: Any) -> Tensor:
    """Return the pixels of an RGB image: (3, H, W), uint8."""
    return torch.from_numpy(np.array(image).transpose(2, 0, 1).copy())


def check_memory(batch_size: int, side: int, largest: tuple[int, int], recipe_name: str, parts: int = 1) -> None:
    """Raise an `AblationError` if the images of one optimizer step need more memory than there is.

    Counted are a part of a batch in use, the next one, and the largest image while it is decoded; the network's own memory is
    not. What workers read ahead is limited by the memory that there is, so it is not counted.

    Args:
        batch_size: images per step, of all processes together.
        side: of the images in a batch, in pixels.
        largest: width and height of the largest image file.
        recipe_name: for the message.
        parts: number of parts that the share of a process is delivered in.
    """
    image_bytes, decoded = 3 * side**2 * 4, decoded_bytes(largest)
    at_once = -(-batch_size // parts)
    needed, available = 2 * at_once * image_bytes + decoded, free_memory()
    if needed <= available:
        return
    fits = max(0, (available - decoded) // (2 * image_bytes)) * parts
    advice = f"a batch_size of {fits} fits" if fits else "a smaller size, or smaller images, are needed"
    step = "one step" if parts == 1 else f"one of the {parts} parts of a step"
    raise AblationError(
        f"recipe {recipe_name!r} needs {needed / 1e9:.1f} GB for the images of {step} ({at_once} of {side} px, read from "
        f"files of up to {largest[0]} x {largest[1]} px), and {available / 1e9:.1f} GB are available: {advice}"
    )


def decoded_bytes(size: tuple[int, int]) -> int:
    """Return the memory for decoding an image of that width and height: Pillow has 4 bytes a pixel, in up to three copies."""
    return size[0] * size[1] * 4 * 3
