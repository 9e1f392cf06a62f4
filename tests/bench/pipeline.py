"""Benchmark of data loading: batches from memory against torchvision's transforms on single images in a `DataLoader`.

Both use the same images and the same augmentation: a shift by up to four pixels, a flip, normalisation, and erasing
with probability 0.25. The torchvision side is typical user code, with persistent workers, either none or one per core,
whichever is faster; this library uses one thread or one per core, whichever is faster. Torchvision is timed twice: on
image files, which it decodes again in each epoch, and on decoded images in memory, so that the second ratio covers only
augmentation and batching. This library decodes once and keeps the pixels, so its epochs are the same in both rows.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.datasets import ImageFolder

from ablation import data as datasets
from ablation.data.about import Data
from ablation.design.recipes import SMALL32_MODERN as RECIPE
from ablation.environment import cores
from ablation.measure.images import IMAGENET_MEAN, IMAGENET_STD
from tests.bench.pairs import Call, interleaved, seconds

IMAGES, CLASSES = {"train": 5_000, "val": 10}, 10


def write_images(root: Path) -> None:
    """Write smooth random colours as PNG files, similar to small photographs in file size and decoding time."""
    rng = np.random.default_rng(0)
    for split, number in IMAGES.items():
        for i in range(number):
            folder = root / split / str(i % CLASSES)
            folder.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            image.resize((RECIPE.size, RECIPE.size), Image.Resampling.BICUBIC).save(folder / f"{i}.png")


def torchvision_transform() -> transforms.Compose:
    """Return the augmentation of the recipe as torchvision transforms."""
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
    """The decoded PIL images of a folder in memory; only the transform runs per access."""

    def __init__(self, folder: ImageFolder) -> None:
        self.transform = folder.transform
        self.samples = [(folder.loader(path), label) for path, label in folder.samples]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        image, label = self.samples[i]
        return self.transform(image), label


def fastest_loader(images: Dataset) -> DataLoader:
    """Return the faster loader of two: without workers, or with one per core."""
    loaders = [
        DataLoader(
            images, RECIPE.batch_size, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
        )
        for workers in (0, cores())
    ]
    return min(loaders, key=lambda loader: least_seconds(lambda: consume(loader)))


def run_epoch(images: Data, threads: int) -> None:
    """Load one epoch with this library, with a number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        consume(images.train_batches(RECIPE, seed=0, epoch=0, rank=0, world=1))
    finally:
        torch.set_num_threads(before)


def least_seconds(call: Call) -> float:
    """Return the least time of four calls."""
    return min(seconds(call) for _ in range(4))


def consume(batches: Iterable[object]) -> None:
    """Iterate over the batches and discard them."""
    for _ in batches:
        pass


def bench_pipeline(pairs: int, console: Console) -> None:
    """Compare images per second of data loading, one epoch per call."""
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, {"ABLATION_DATA": folder}):
        root = Path(folder) / "images"
        write_images(root)
        loaded = datasets.load(f"imagefolder:{root}")
        images = loaded.steps_per_epoch(RECIPE) * RECIPE.batch_size
        decoding = seconds(lambda: next(iter(loaded.train_batches(RECIPE, seed=0, epoch=0, rank=0, world=1))))
        threads = min(1, cores(), key=lambda threads: least_seconds(lambda: run_epoch(loaded, threads)))
        console.print(
            f"Data loading, epochs of {images:,} colour images of {RECIPE.size} px in batches of {RECIPE.batch_size}, with the "
            f"shift, flip, erasing and normalisation of the recipe {RECIPE.name}. Ours from memory, threads: {threads}, after "
            f"decoding once in {decoding:.1f} s (not counted), against torchvision's transforms on single images.",
            highlight=False,
        )
        table = Table(
            "torchvision on", "workers", "ratio", "quartiles", "ours img/s", "torchvision img/s", box=box.SIMPLE_HEAD
        )
        files = ImageFolder(root / "train", torchvision_transform())
        with Progress(console=console) as bar:
            task = bar.add_task("loading", total=2 * pairs)
            for name, theirs in {"image files": files, "decoded images in memory": Decoded(files)}.items():
                loader = fastest_loader(theirs)
                timed = interleaved(
                    lambda: run_epoch(loaded, threads),
                    lambda loader=loader: consume(loader),
                    pairs,
                    lambda: bar.advance(task),
                )
                speeds = (f"{speed:,.0f}" for speed in timed.speeds(images))
                table.add_row(name, str(loader.num_workers), *timed.ratio(), *speeds)
        console.print(table)
