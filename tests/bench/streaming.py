"""Benchmark of image files read by workers: ours against one `DataLoader` item an image, in float32.

Both decode the same JPEG files with Pillow and apply timm's transforms for the recipe `modern` at 224 px; the pixels are equal
bit for bit. The alternative normalises and erases each image by itself, seeds with `torch.manual_seed`, and starts its workers
anew in each epoch. Processor seconds of all processes are compared, too: on a busy machine they vary less than speeds.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sklearn.datasets import load_sample_images
from timm.data import create_transform
from torch.utils.data import DataLoader, Dataset

from ablation import data as datasets
from ablation.data.folder import Folder
from ablation.data.training_transform import _posterize, posterize
from ablation.design.recipes import MODERN
from ablation.environment import cores
from ablation.pictures import read_rgb
from tests.bench.pairs import interleaved

RECIPE = MODERN.replace(batch_size=256)
SIZES = {"256 x 224": (256, 224, 1024), "500 x 375, as in ImageNet": (500, 375, 512)}  # width, height, number
PARTS = 4


def write_photos(root: Path, width: int, height: int, number: int) -> None:
    """Write crops of two photographs as JPEG files."""
    photos, draw = [Image.fromarray(photo) for photo in load_sample_images().images], np.random.default_rng(0)
    for split, images in (("train", number), ("val", 4)):
        for i in range(images):
            file = root / split / str(i % 2) / f"{i}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            side = draw.uniform(0.6, 1) * 427
            x, y = draw.uniform(0, 640 - side), draw.uniform(0, 427 - side)
            photos[i % 2].resize((width, height), box=(x, y, x + side, y + side)).save(file, quality=90)


class ByImage(Dataset):
    """Normalised images in float32, one after the other."""

    def __init__(self, folder: Folder) -> None:
        self.files, self.labels, self.epoch = list(folder.train_files), folder.train_labels, 0
        self.transform = create_transform(
            (3, RECIPE.size, RECIPE.size), is_training=True, scale=RECIPE.crop_scale, hflip=RECIPE.hflip, color_jitter=None,
            auto_augment=RECIPE.randaugment, re_prob=RECIPE.random_erasing, re_mode="pixel",
            interpolation=RECIPE.interpolation, mean=folder.mean, std=folder.std,
        )  # fmt: skip
        for operation in self.transform.transforms[2].ops:
            if operation.aug_fn is posterize:
                operation.aug_fn = _posterize

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, int]:
        image = read_rgb(self.files[i])[0]
        seed = int(np.random.SeedSequence([0, self.epoch, i]).generate_state(1)[0])
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        return self.transform(image), int(self.labels[i])


def processor_seconds(call: Callable[[], None]) -> float:
    """Return the processor seconds that a call takes in this process and its children, ended or not."""

    def used() -> float:
        ended = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        running = [child.cpu_times() for child in psutil.Process().children()]
        return sum(u.ru_utime + u.ru_stime for u in ended) + sum(t.user + t.system for t in running)

    before = used()
    call()
    time.sleep(0.1)  # until workers that end have ended
    return used() - before


def first_batch_seconds() -> float:
    """Return the seconds from the name of a folder of 20,000 files to its first batch."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        Image.new("RGB", (64, 64)).save(root / "0.jpg")
        for split, number in (("train", 19_900), ("val", 100)):
            for i in range(10):
                (root / split / str(i)).mkdir(parents=True)
            for i in range(number):
                os.link(root / "0.jpg", root / split / str(i % 10) / f"{i}.jpg")
        started = time.perf_counter()
        next(iter(datasets.load(f"imagefolder:{root}").train_batches(RECIPE.replace(size=32), 0, 0, 0, 1)))
        return time.perf_counter() - started


def bench_streaming(pairs: int, console: Console) -> None:
    """Print images per second and processor time per image of both."""
    table = Table(
        "JPEG files", "ratio", "quartiles", "ours img/s", "by image img/s", "processor time", box=box.SIMPLE_HEAD
    )
    console.print(
        f"Streamed images, recipe {RECIPE.name} at {RECIPE.size} px in {PARTS} parts of {RECIPE.batch_size // PARTS}, {cores()} "
        "cores: ours against one item an image.",
        highlight=False,
    )
    seconds = [first_batch_seconds() for _ in range(3)]
    console.print(
        f"First batch of a folder of 20,000 files: {statistics.median(seconds):.2f} s, of three.", highlight=False
    )
    with Progress(console=console) as bar:
        task = bar.add_task("streaming", total=len(SIZES) * pairs)
        for name, (width, height, number) in SIZES.items():
            with tempfile.TemporaryDirectory() as root:
                write_photos(Path(root), width, height, number)
                folder = datasets.load(f"imagefolder:{root}")
                assert isinstance(folder, Folder)
                theirs, epoch, used = ByImage(folder), iter(range(1_000_000)), {"ours": [], "theirs": []}

                def run_ours(folder: Folder = folder, epoch=epoch, used=used) -> None:
                    number = next(epoch)
                    batches = folder.train_batches(RECIPE, 0, number, 0, 1, parts=PARTS)
                    used["ours"].append(processor_seconds(lambda: [None for _ in batches]))

                def run_theirs(theirs: ByImage = theirs, epoch=epoch, used=used) -> None:
                    theirs.epoch = next(epoch)
                    loader = DataLoader(theirs, RECIPE.batch_size, shuffle=True, drop_last=True, num_workers=cores())
                    used["theirs"].append(processor_seconds(lambda: [None for _ in loader]))

                timed = interleaved(run_ours, run_theirs, pairs, lambda: bar.advance(task))
                speeds = (f"{speed:,.0f}" for speed in timed.speeds(number))
                ratio = statistics.median(b / a for a, b in zip(used["ours"][1:], used["theirs"][1:], strict=True))
                mine = 1000 * statistics.median(used["ours"][1:]) / number
                table.add_row(name, *timed.ratio(), *speeds, f"{mine:.1f} ms an image; by image {ratio:.2f} times that")
    console.print(table)
