"""A data set of image files, streamed through timm's loader: train/CLASS/* and val/CLASS/*."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD, create_dataset, create_loader, create_transform
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from ..errors import AblationError
from .about import About
from .environment import cores
from .recipe import Recipe

_MOST_WORKERS = 8  # processes that decode images, for each training process
_TEST_BATCH = 64


class Folder:
    """Images under train/ and val/, one folder a class."""

    def __init__(self, about: About, root: Path, classes: list[str]) -> None:
        self.about, self.root = about, root
        self.mean: tuple[float, ...] = IMAGENET_DEFAULT_MEAN  # what timm's loader normalises by
        self.std: tuple[float, ...] = IMAGENET_DEFAULT_STD
        index = {name: i for i, name in enumerate(classes)}
        self.train = create_dataset("", root=str(root), split="train", class_map=index)
        self.test = create_dataset("", root=str(root), split="val", class_map=index)

    @property
    def checksum(self) -> str:
        """Of names and sizes of all files; their contents are not read."""
        lines = [f"{path.relative_to(self.root)} {path.stat().st_size}" for path in self._files()]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    def _files(self) -> list[Path]:
        return sorted(path for split in ("train", "val") for path in (self.root / split).rglob("*") if path.is_file())

    def steps_per_epoch(self, recipe: Recipe) -> int:
        steps = len(self.train) // recipe.batch_size
        if steps == 0:
            raise AblationError(
                f"batch_size {recipe.batch_size} of recipe {recipe.name!r} is more than the {len(self.train)} "
                f"training images of {self.about.name}"
            )
        return steps

    def train_batches(
        self, recipe: Recipe, seed: int, epoch: int, rank: int, world: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        loader = create_loader(
            self.train,
            _size(recipe),
            is_training=True,
            batch_size=recipe.batch_size // world,
            scale=recipe.crop_scale,
            hflip=recipe.hflip,
            color_jitter=None,  # type: ignore[arg-type]
            auto_augment=recipe.randaugment or None,
            re_prob=recipe.random_erasing,
            re_mode="pixel",
            interpolation=recipe.interpolation,
            num_workers=_workers(),
            persistent_workers=False,
            use_prefetcher=False,
            distributed=world > 1,
        )
        if world > 1:
            loader.sampler.set_epoch(epoch)
        yield from loader

    def test_batches(self, recipe: Recipe, rank: int, world: int) -> Iterator[tuple[Tensor, Tensor]]:
        self.test.transform = create_transform(
            _size(recipe), interpolation=recipe.interpolation, crop_pct=recipe.crop_pct
        )
        mine = Subset(
            self.test, range(rank, len(self.test), world)
        )  # each image once, whatever the number of processes
        yield from DataLoader(mine, batch_size=_TEST_BATCH, num_workers=_workers())


def _size(recipe: Recipe) -> tuple[int, int, int]:
    return (3, recipe.size, recipe.size)


def _workers() -> int:
    return min(_MOST_WORKERS, cores())
