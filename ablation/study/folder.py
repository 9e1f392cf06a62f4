"""A data set of image files, streamed through timm's loader: train/CLASS/* and val/CLASS/*."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from timm.data import create_dataset, create_loader
from torch import Tensor
from torch.utils.data import Subset

from ..errors import AblationError
from .data import About
from .recipe import Recipe

_WORKERS = 4  # processes that decode images, for each training process


class Folder:
    """Images under train/ and val/, one folder a class."""

    def __init__(self, about: About, root: Path, classes: list[str]) -> None:
        self.about, self.root = about, root
        index = {name: i for i, name in enumerate(classes)}
        self.train = create_dataset("", root=str(root), split="train", class_map=index)
        self.test = create_dataset("", root=str(root), split="val", class_map=index)
        self._loaders: dict[str, Any] = {}

    @property
    def checksum(self) -> str:
        """Of names and sizes of all files; their contents are not read."""
        lines = [f"{path.relative_to(self.root)} {path.stat().st_size}" for path in sorted(self.root.rglob("*.*"))]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def steps_per_epoch(self, recipe: Recipe) -> int:
        steps = len(self.train) // recipe.batch_size
        if steps == 0:
            raise AblationError(
                f"batch_size {recipe.batch_size} of recipe {recipe.name!r} is more than the {len(self.train)} "
                f"training images of {self.about.name}"
            )
        return steps

    def train_batches(self, recipe: Recipe, seed: int, epoch: int, rank: int, world: int) -> Iterator[tuple[Tensor, Tensor]]:
        loader = create_loader(
            self.train,
            is_training=True,
            batch_size=recipe.batch_size // world,
            scale=recipe.crop_scale,
            hflip=recipe.hflip,
            color_jitter=None,
            auto_augment=recipe.randaugment or None,
            re_prob=recipe.random_erasing,
            re_mode="pixel",
            distributed=world > 1,
            **_common(recipe),
        )
        if world > 1:
            loader.sampler.set_epoch(epoch)
        yield from loader

    def test_batches(self, recipe: Recipe, rank: int, world: int) -> Iterator[tuple[Tensor, Tensor]]:
        mine = Subset(self.test, range(rank, len(self.test), world))  # each image once, whatever the number of processes
        yield from create_loader(mine, is_training=False, batch_size=64, crop_pct=recipe.crop_pct, **_common(recipe))


def _common(recipe: Recipe) -> dict[str, Any]:
    return {
        "input_size": (3, recipe.size, recipe.size),
        "interpolation": recipe.interpolation,
        "num_workers": _WORKERS,
        "use_prefetcher": False,
        "persistent_workers": False,
    }
