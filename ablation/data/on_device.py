"""Training images that lie on a device as uint8 and are augmented there, a whole batch at a time.

A small network on a GPU is trained faster than a CPU can prepare its images. What happens to an image is decided as for the
data sets held in memory, by the CPU's generator, and copied to the device once an epoch: the batches are those of
`InMemory.train_batches`, whatever the device. Making a batch reads nothing from the device, and its operators and shapes
are the same at every step, so it can be part of a CUDA graph.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..design.recipe import Recipe
from .in_memory import DRAWS, InMemory, decide, draw_epoch


class OnDevice:
    """The training images of a data set on a device.

    Args:
        data: the data set in memory.
        recipe: batch size and augmentation.
        device: where the images are to lie and the batches are made.
    """

    def __init__(self, data: InMemory, recipe: Recipe, device: torch.device) -> None:
        self.data, self.recipe, self.device = data, recipe, device
        self.steps = data.steps_per_epoch(recipe)
        # Channels last: an image is gathered pixel by pixel, and the batch comes out in the format that training uses.
        self.images = data.train_images.permute(0, 2, 3, 1).contiguous().to(device)  # (images, H, W, C)
        self.labels = data.train_labels.to(device)
        channels = self.images.shape[-1]
        self._mean, self._std = (torch.tensor(v, device=device).view(1, 1, 1, channels) for v in (data.mean, data.std))
        _, self.height, self.width, _ = self.images.shape
        self._rows, self._columns = (torch.arange(n, device=device) for n in (self.height, self.width))
        self._order = torch.zeros(self.steps, recipe.batch_size, dtype=torch.int64, device=device)
        self._decisions = torch.zeros(len(self.labels), DRAWS, dtype=torch.int64, device=device)

    def start_epoch(self, seed: int, epoch: int) -> None:
        """Draw the order of the images and their augmentation for one epoch, and copy both to the device."""
        order, draws = draw_epoch(len(self.labels), seed, epoch)
        self._order.copy_(order[: self._order.numel()].view_as(self._order))
        self._decisions.copy_(decide(draws, self.recipe, self.height, self.width))

    def batch(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """Return images and labels of one step of the epoch.

        Args:
            step: (1,) int64 on the device.

        Returns:
            (N, C, H, W) float32 in channels-last memory, normalised and augmented, and (N,) int64.
        """
        own = self._order.index_select(0, step)[0]  # `_order[step[0]]` would read the step from the device
        down, right, flip, top, left, tall, wide = self._decisions.index_select(0, own)[:, :, None].unbind(1)  # (N, 1)
        columns = torch.where(flip.bool(), self.width - 1 - self._columns, self._columns)  # (N, W)
        rows = self._rows + down - self.recipe.shift_px
        columns = columns + right - self.recipe.shift_px
        inside = _both(_between(rows, 0, self.height), _between(columns, 0, self.width))
        erased = _both(_between(self._rows, top, top + tall), _between(self._columns, left, left + wide))
        rows, columns = rows.clamp(0, self.height - 1), columns.clamp(0, self.width - 1)
        pixels = self.images[own[:, None, None], rows[:, :, None], columns[:, None, :]]  # (N, H, W, C)
        if pixels.dtype == torch.uint8:
            pixels = pixels.float().div_(255).sub_(self._mean).div_(self._std)
        pixels = pixels.masked_fill((~inside | erased)[..., None], 0.0)  # the mean colour
        return pixels.permute(0, 3, 1, 2), self.labels.index_select(0, own)


def _between(values: Tensor, first: Tensor | int, end: Tensor | int) -> Tensor:
    return (values >= first) & (values < end)


def _both(of_rows: Tensor, of_columns: Tensor) -> Tensor:
    """Return which positions are in a chosen row and a chosen column: (N, H), (N, W) -> (N, H, W)."""
    return of_rows[:, :, None] & of_columns[:, None, :]
