"""Mixup and CutMix with the draws of timm's `Mixup`, applied to batches that lie on a device.

timm draws while it mixes. Here a pair of two images, one black and one white, is mixed by timm first: from the result one
can read how much of each pixel and of the label comes from the image itself. These tables are copied to the device once an
epoch, and a batch is mixed by them there.
"""

from __future__ import annotations

import torch
from timm.data import Mixup
from timm.data.mixup import mixup_target
from torch import Tensor

from ..design.recipe import Recipe


class Mixing:
    """Mixup and CutMix of a recipe for batches on a device.

    Args:
        recipe: its `mixup`, `cutmix` and `label_smoothing`.
        num_classes: number of classes.
        steps: steps per epoch.
        height, width: of the images in pixels.
        device: of the batches.
    """

    def __init__(
        self, recipe: Recipe, num_classes: int, steps: int, height: int, width: int, device: torch.device
    ) -> None:
        self._num_classes, self._smoothing = num_classes, recipe.label_smoothing
        self._probe = Mixup(recipe.mixup, recipe.cutmix, label_smoothing=0.0, num_classes=2)
        self._size = (height, width)
        self._own = torch.ones(steps, height, width, device=device)  # share of the image itself in each pixel
        self._other = torch.zeros(steps, height, width, device=device)  # share of the image that it is mixed with
        self._of_label = torch.ones(steps, device=device)  # share of its own label

    def draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return the shares for one step, drawn from the global generators: (H, W), (H, W) and a number.

        The same draws are made as by timm's `Mixup` for a batch of any length.
        """
        black_and_white = torch.stack([torch.zeros(1, *self._size), torch.ones(1, *self._size)])
        mixed, labels = self._probe(black_and_white, torch.tensor([0, 1]))
        return mixed[1, 0], mixed[0, 0], labels[0, 0]

    def start_epoch(self, draws: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Copy the shares for all steps of an epoch to the device."""
        for table, values in zip((self._own, self._other, self._of_label), zip(*draws, strict=True), strict=True):
            table.copy_(torch.stack(values))

    def __call__(self, images: Tensor, labels: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mixed images, and (N, classes) targets.

        Args:
            images: (N, C, H, W).
            labels: (N,) int64.
            step: (1,) int64 on the device, of the epoch.
        """
        own, other = (table.index_select(0, step) for table in (self._own, self._other))  # (1, H, W)
        share = self._of_label.index_select(0, step)  # (1,)
        targets: Tensor = mixup_target(labels, self._num_classes, share, self._smoothing)
        return images * own + images.flip(0) * other, targets
