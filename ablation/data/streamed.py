"""Image files read one by one in worker processes, and the memory that the batches of them need.

The random draws for an image depend only on the seed, the epoch and the index of the image.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, default_collate

from ..environment import cores, free_memory
from ..errors import AblationError
from ..pictures import printable, read_rgb

_MAX_WORKERS = 8  # processes that decode images, per training process
_AHEAD = 2  # batches that each of them reads ahead, torch's default


class ImageFiles(Dataset[Any]):
    """Image files, labels and a transform from an RGB image to a tensor.

    Given (seed, epoch), the generators are seeded separately for each image.
    """

    def __init__(
        self,
        files: Sequence[Path],
        labels: NDArray[np.int64],
        transform: Callable[[Any], Tensor],
        side: int | None = None,
        seed_and_epoch: tuple[int, int] | None = None,
    ) -> None:
        self.files, self.labels, self.transform = files, labels, transform
        self.side, self.seed_and_epoch = side, seed_and_epoch

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[Tensor, int] | AblationError:
        try:
            image = read_rgb(self.files[i])[0] if self.side is None else read_square(self.files[i], self.side)
        except AblationError as error:
            return error  # raised by `stream`: a worker's own exception arrives with its traceback in the message
        if self.seed_and_epoch is not None:  # timm's transforms draw from all three generators
            seed = int(np.random.SeedSequence([*self.seed_and_epoch, i]).generate_state(1)[0])
            random.seed(seed)
            np.random.seed(seed)
            torch.manual_seed(seed)
        return self.transform(image), int(self.labels[i])


def stream(
    images: ImageFiles, batches: Sequence[list[int]], batch_bytes: int, workers: int | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of images and labels, read by as many worker processes as cores and memory allow.

    Args:
        images: the image files.
        batches: indices of the images of each batch.
        batch_bytes: size of a batch, and of one image while it is decoded.
        workers: number of worker processes; None for as many as cores and memory allow.

    Raises:
        AblationError: for the first image that cannot be read.
    """
    room = free_memory() // 2 // max(1, batch_bytes * _AHEAD)
    number = max(1, min(_MAX_WORKERS, cores(), room)) if workers is None else workers
    loader = DataLoader(images, batch_sampler=batches, num_workers=number, collate_fn=_collate)
    for batch in loader:
        if isinstance(batch, AblationError):
            raise batch
        yield batch


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


def check_memory(batch_size: int, side: int, largest: tuple[int, int], recipe_name: str) -> None:
    """Raise an `AblationError` if the images of one optimizer step need more memory than there is.

    Counted are a batch in use, one being read, and the largest image while it is decoded; the network's own memory is not.

    Args:
        batch_size: images per step, of all processes together.
        side: of the images in a batch, in pixels.
        largest: width and height of the largest image file.
        recipe_name: for the message.
    """
    image_bytes, decoded = 3 * side**2 * 4, decoded_bytes(largest)
    needed, available = 2 * batch_size * image_bytes + decoded, free_memory()
    if needed <= available:
        return
    fits = max(0, (available - decoded) // (2 * image_bytes))
    advice = f"a batch_size of {fits} fits" if fits else "a smaller size, or smaller images, are needed"
    raise AblationError(
        f"recipe {recipe_name!r} needs {needed / 1e9:.1f} GB for the images of one step ({batch_size} of {side} px, read from "
        f"files of up to {largest[0]} x {largest[1]} px), and {available / 1e9:.1f} GB are available: {advice}"
    )


def decoded_bytes(size: tuple[int, int]) -> int:
    """Return the memory for decoding an image of that width and height: Pillow has 4 bytes a pixel, in up to three copies."""
    return size[0] * size[1] * 4 * 3


def _collate(items: Iterable[tuple[Tensor, int] | AblationError]) -> Any:
    batch = list(items)
    return next((item for item in batch if isinstance(item, AblationError)), None) or default_collate(batch)
