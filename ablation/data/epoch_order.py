"""The order of the images in an epoch, and which of them each process gets in each part of each step."""

from __future__ import annotations

import torch
from torch import Tensor

from ..design.recipe import Recipe


def draw_order(images: int, seed: int, epoch: int) -> tuple[Tensor, torch.Generator]:
    """Return the order of the images in an epoch, (images,) int64, and the generator for its further draws."""
    generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
    return torch.randperm(images, generator=generator), generator


def own_parts(order: Tensor, recipe: Recipe, start: int, rank: int, world: int, parts: int) -> list[Tensor]:
    """Return the indices of the images that a process loads at a time: the parts of its share of each step from `start` on.

    Args:
        order: as drawn; an incomplete last batch is dropped.
        recipe: its `batch_size` divides evenly.
        start: first step.
        rank, world: number of the process, and how many there are.
        parts: of a share.
    """
    share = recipe.batch_size // world
    complete = order[: len(order) // recipe.batch_size * recipe.batch_size].view(-1, recipe.batch_size)
    shares = complete[start:, rank * share : (rank + 1) * share]
    return [part for step in shares for part in step.chunk(parts)]
