"""Loading alone: our batches from memory against torchvision's transforms, image by image, in a `DataLoader`.

The same images and the same augmentation: a shift by up to four pixels, a flip, normalisation, and erasing with probability 0.25.
The other side is what a user would write, with no workers or one a core, whichever is faster, and workers kept from epoch to
epoch; ours has one thread or one a core, whichever is faster. The other is timed twice: on the image files, which it decodes
again in each epoch, and on decoded images in memory, so that the second ratio is of augmentation and batching alone. Ours
decodes once and keeps the pixels, so an epoch of it is the same in both rows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from ablation.data.info import Data
from PIL import Image
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from ablation import data as datasets
from ablation.design.recipes import SMALL32_MODERN as RECIPE
from ablation.environment import cores
from ablation.measure.images import IMAGENET_MEAN, IMAGENET_STD
from tests.bench.pairs import Call, interleaved, seconds

IMAGES, CLASSES = {"train": 5_000, "val": 10}, 10


def write_images(root: Path) -> None:
    """Smooth random colours as PNG files, class by class: about the size and the decoding time of small photographs."""
    draw = np.random.default_rng(0)
    for split, number in IMAGES.items():
        for i in range(number):
            folder = root / split / str(i % CLASSES)
            folder.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            image.resize((RECIPE.size, RECIPE.size), Image.Resampling.BICUBIC).save(folder / f"{i}.png")


def their_transform() -> transforms.Compose:
    """What our recipe asks for, in torchvision's words."""
    return transforms.Compose(
        [
            transforms.RandomCrop(RECIPE.size, padding=RECIPE.shift_px),
            transforms.RandomHorizontalFlip(RECIPE.hflip),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
            transforms.RandomErasing(RECIPE.random_erasing, scale=(0.02, 1 / 3)),
        ]
    )


class Decoded(Dataset):
    """A folder's images in memory, as PIL has them: nothing is left to do but the transform."""

    def __init__(self, folder: ImageFolder) -> None:
        self.transform = folder.transform
        self.samples = [(folder.loader(path), label) for path, label in folder.samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        image, label = self.samples[i]
        return self.transform(image), label


def fastest_loader(images: Dataset) -> DataLoader:
    """With no workers or one a core."""
    loaders = [
        DataLoader(
            images, RECIPE.batch_size, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
        )
        for workers in (0, cores())
    ]
    return min(loaders, key=lambda loader: warm_seconds(lambda: epoch_of(loader)))


def our_epoch(images: Data, threads: int) -> None:
    """One epoch of ours, with so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        epoch_of(images.train_batches(RECIPE, seed=0, epoch=0, rank=0, world=1))
    finally:
        torch.set_num_threads(before)


def warm_seconds(call: Call) -> float:
    """The least of a few calls, to choose by."""
    return min(seconds(call) for _ in range(4))


def epoch_of(batches: Iterable[object]) -> None:
    """Go through the batches and do nothing with them."""
    for _ in batches:
        pass


def bench_pipeline(pairs: int, console: Console) -> None:
    """Images per second of loading alone, an epoch at a time."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"ABLATION_DATA": folder}):
        root = Path(folder) / "images"
        write_images(root)
        loaded = datasets.load(f"imagefolder:{root}")
        images = loaded.steps_per_epoch(RECIPE) * RECIPE.batch_size
        decoding = seconds(lambda: next(iter(loaded.train_batches(RECIPE, seed=0, epoch=0, rank=0, world=1))))
        threads = min(1, cores(), key=lambda threads: warm_seconds(lambda: our_epoch(loaded, threads)))
        console.print(
            f"Loading alone, epochs of {images:,} colour images of {RECIPE.size} px in batches of {RECIPE.batch_size}: shift, "
            f"flip, erasing and normalisation as {RECIPE.name} asks. Ours from memory with threads: {threads}, decoded once "
            f"before, in {decoding:.1f} s that do not count; over torchvision's transforms on one image after the other.",
            highlight=False,
        )
        table = Table(
            "torchvision on", "its workers", "ratio", "quartiles", "ours img/s", "its img/s", box=box.SIMPLE_HEAD
        )
        files = ImageFolder(root / "train", their_transform())
        with Progress(console=console) as bar:
            task = bar.add_task("loading", total=2 * pairs)
            for name, theirs in {"image files": files, "decoded images in memory": Decoded(files)}.items():
                loader = fastest_loader(theirs)
                timed = interleaved(
                    lambda: our_epoch(loaded, threads),
                    lambda loader=loader: epoch_of(loader),
                    pairs,
                    lambda: bar.advance(task),
                )
                speeds = (f"{speed:,.0f}" for speed in timed.speeds(images))
                table.add_row(name, str(loader.num_workers), *timed.ratio(), *speeds)
        console.print(table)
