"""Random erasing with noise, as in timm, drawn for each image by a worker process and applied to the batch.

The noise has the unit of normalised pixels, but workers send unnormalised ones of 8 bits, which are four times smaller. So a
worker makes timm's draws and sends what timm would have written into the normalised image: a rectangle and its noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from timm.data.random_erasing import RandomErasing
from torch import Tensor

# Where noise is written: index of the image in its chunk, top, left, height and width in pixels.
Rectangle = tuple[int, int, int, int, int]


class _Recorder:
    """Stands in for a normalised image, and keeps what is written into it."""

    dtype = torch.float32

    def __init__(self, shape: torch.Size) -> None:
        self.shape, self.written = shape, list[tuple[tuple[int, int], Tensor]]()

    def size(self) -> torch.Size:
        return self.shape

    def __setitem__(self, where: tuple[slice, slice, slice], noise: Tensor) -> None:
        self.written.append(((where[1].start, where[2].start), noise))


def draw_erasing(erasing: RandomErasing, shape: torch.Size) -> list[tuple[tuple[int, int, int, int], Tensor]]:
    """Return top, left, height and width of what is erased in an image of a shape, and the noise, by the random generators."""
    recorder = _Recorder(shape)
    erasing(recorder)
    return [((top, left, noise.shape[1], noise.shape[2]), noise.flatten()) for (top, left), noise in recorder.written]


def erase(images: Tensor, rectangles: Sequence[Rectangle], noise: Tensor) -> None:
    """Write noise into images, in place.

    Args:
        images: (N, C, H, W), normalised.
        rectangles: where.
        noise: (M,), the noise of all rectangles in their order; on any device.
    """
    start, channels = 0, images.shape[1]
    noise = noise.to(images.device, non_blocking=True)
    # On a CPU through NumPy, in one thread: those of torch would take their cores from the workers.
    pixels: Any = images.numpy() if images.device.type == "cpu" else images
    values: Any = noise.numpy() if images.device.type == "cpu" else noise
    for i, top, left, tall, wide in rectangles:
        size = channels * tall * wide
        pixels[i, :, top : top + tall, left : left + wide] = values[start : start + size].reshape(channels, tall, wide)
        start += size
