"""The streamed loader: the same images for any parts, chunks and workers; little memory; workers that stay; a quick start."""

import functools
import gc
import os
import time

import numpy as np
import psutil
import pytest
import torch
from PIL import Image
from timm.data import create_transform
from torchvision.datasets import ImageFolder

from ablation import AblationError
from ablation import data as datasets
from ablation.data import chunks, once
from ablation.data.file_list import FileList
from ablation.data.streamed import pixels, seed_image
from ablation.data.training_transform import training_transform
from ablation.design.recipes import MICRO_MODERN, MODERN, ORIGINAL
from ablation.pictures import read_rgb

RECIPE = MODERN.replace(batch_size=12, size=16, random_erasing=0.6)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Two classes of 14 training images; the third test image of the second class is missing in no process."""
    root, draw = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for split, number in (("train", 14), ("val", 5)):
        for name in ("ant", "bee"):
            (root / split / name).mkdir(parents=True)
            for i in range(number):
                size = (20 + i, 24, 3)
                Image.fromarray(draw.integers(0, 256, size, dtype=np.uint8)).save(root / split / name / f"{i}.png")
    return datasets.load(f"imagefolder:{root}")


def batches(data, recipe=RECIPE, seed=3, epoch=1, rank=0, world=1, start=0, **options):
    return list(data.train_batches(recipe, seed, epoch, rank, world, start, **options))


def test_pixels_are_those_of_timm_for_each_image_alone(data):
    """What earlier versions did image by image: transform, normalise and erase, after seeding by epoch and index."""
    transform = create_transform(
        (3, 16, 16), is_training=True, scale=RECIPE.crop_scale, hflip=0.5, color_jitter=None, re_prob=0.6, re_mode="pixel",
        auto_augment=RECIPE.randaugment, interpolation=RECIPE.interpolation, mean=data.mean, std=data.std,
    )  # fmt: skip
    order = torch.randperm(28, generator=torch.Generator().manual_seed(3 * 100_003 + 1))[:24].view(2, 12)
    for (images, labels), indices in zip(batches(data), order.tolist(), strict=True):
        for image, label, i in zip(images, labels, indices, strict=True):
            seed_image(3, 1, i)
            assert torch.equal(image, transform(read_rgb(data.train_files[i])[0])) and label == data.train_labels[i]


@pytest.mark.parametrize(
    "options",
    [{"parts": 3}, {"parts": 2, "workers": 1}, {"parts": 12}, {"start": 1}, {"parts": 4, "start": 1}],
    ids=str,
)
def test_parts_follow_each_other_and_have_the_same_images(data, options):
    whole, parts = batches(data), batches(data, **options)
    start, number = options.get("start", 0), options.get("parts", 1)
    assert [len(labels) for _, labels in parts] == [12 // number] * (2 - start) * number
    for k in (0, 1):
        assert torch.equal(torch.cat([part[k] for part in parts]), torch.cat([batch[k] for batch in whole[start:]]))


def test_two_processes_read_each_image_once_in_an_epoch(data):
    plain = RECIPE.replace(crop_scale=(1.0, 1.0), hflip=0.0, randaugment="", random_erasing=0.0, batch_size=14)
    for split in (
        lambda rank: batches(data, plain, rank=rank, world=2, parts=7),
        lambda rank: list(data.test_batches(plain, rank, 2)),
    ):
        halves = [torch.cat([images for images, _ in split(rank)]) for rank in (0, 1)]
        everything = torch.cat(halves)
        expected = len(data.train_files) if len(everything) > 10 else len(data.test_files)
        assert len(everything) == len(everything.unique(dim=0)) == expected and len(halves[0]) == len(halves[1])


def test_workers_stay_for_the_next_epoch_but_no_two_epochs_share_them(data):
    def workers():
        return {process.pid for process in psutil.Process().children()}

    data._workers._idle.clear()
    before = workers()
    first = batches(data)
    kept = workers() - before
    again = data.train_batches(RECIPE, 3, 1, 0, 1)
    images, _ = next(again)
    assert kept and kept <= workers() and torch.equal(images, first[0][0])
    other = batches(data, epoch=2)
    assert not torch.equal(other[0][0], first[0][0])
    assert torch.equal(next(again)[0], first[1][0]), "not those of the other epoch"
    del again
    batches(data, RECIPE.replace(hflip=0.1))
    gc.collect()
    assert not kept & workers(), "workers of another recipe end"
    data._workers._idle.clear()
    assert workers() == before


def test_in_memory_parts_are_those_of_the_batch():
    digits = datasets.load("digits")
    whole, parts = batches(digits, MICRO_MODERN), batches(digits, MICRO_MODERN, parts=4)
    assert len(parts) == 4 * len(whole) and parts[0][0].device == torch.device("cpu")
    assert torch.equal(torch.cat([images for images, _ in parts]), torch.cat([images for images, _ in whole]))


@pytest.mark.skipif(not os.path.ismount("/dev/shm"), reason="no shared memory to look at")
def test_shared_memory_does_not_grow_with_the_batch(tmp_path):
    """512 images of 224 px: 308 MB in float32, of which a worker held one to three batches."""
    for split, number in (("train", 512), ("val", 1)):
        for name in ("ant", "bee"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(number // 2 or 1):
                Image.new("RGB", (8, 8), (i % 256, 0, 0)).save(tmp_path / split / name / f"{i}.png")
    recipe = ORIGINAL.replace(batch_size=512, interpolation="nearest")
    free, peak = _free(), 0
    for images, _ in datasets.load(f"imagefolder:{tmp_path}").train_batches(recipe, 0, 0, 0, 1, parts=8):
        peak = max(peak, free - _free())
        assert images.shape == (64, 3, 224, 224)
    assert 0 < peak < 80_000_000


def _free():
    found = os.statvfs("/dev/shm")
    return found.f_bfree * found.f_frsize


def test_a_first_batch_of_20_000_files_costs_little_more_than_their_list(tmp_path):
    """From the name to the batch, beside torchvision's list of the files: 5 to 12 times, and 30 at most.

    In seconds of this process's core, for other load; its workers add a tenth. A second on an idle machine.
    """
    Image.new("RGB", (64, 64)).save(tmp_path / "0.jpg")
    for split, number in (("train", 19_900), ("val", 100)):
        for i in range(10):
            (tmp_path / split / str(i)).mkdir(parents=True)
        for i in range(number):
            os.link(tmp_path / "0.jpg", f"{tmp_path}/{split}/{i % 10}/{i}.jpg")
    ratios = []
    for _ in range(3):
        datasets.load.cache_clear()
        moments = [time.process_time()]
        assert len(ImageFolder(tmp_path / "train")) == 19_900
        moments.append(time.process_time())
        data = datasets.load(f"imagefolder:{tmp_path}")
        assert data.steps_per_epoch(RECIPE) > 1600
        next(iter(data.train_batches(RECIPE, 0, 0, 0, 1)))
        moments.append(time.process_time())
        ratios.append((moments[2] - moments[1]) / (moments[1] - moments[0]))
    assert min(ratios) < 30


@pytest.mark.parametrize(
    ("local", "cores", "workers"), [("1", 16, 16), ("8", 16, 2), ("4", 2, 1), ("none", 3, 3), ("1", 99, 32)]
)
def test_workers_are_cores_over_local_processes(monkeypatch, local, cores, workers):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", local)
    monkeypatch.setattr(chunks, "cores", lambda: cores)
    monkeypatch.setattr(chunks, "free_memory", lambda: 2**40)
    assert chunks.worker_count() == workers
    monkeypatch.setattr(chunks, "free_memory", lambda: 0)
    assert chunks.worker_count(10**6) == 1


def test_one_process_of_a_machine_computes_a_checksum(tmp_path, monkeypatch):
    monkeypatch.setattr(once.tempfile, "gettempdir", lambda: str(tmp_path))
    calls = []
    compute = functools.partial(lambda: calls.append(0) or f"checksum {len(calls)}")
    assert [once.once_per_machine("a", compute) for _ in range(2)] == ["checksum 1", "checksum 2"], "alone: each time"
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert [once.once_per_machine("a", compute) for _ in range(2)] == ["checksum 3"] * 2
    assert once.once_per_machine("b", compute) == "checksum 4"
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "another start")
    assert once.once_per_machine("a", compute) == "checksum 5", "the files may have changed since"

    def failing():
        raise AblationError("unreadable")

    with pytest.raises(AblationError, match="unreadable"):
        once.once_per_machine("c", failing)
    assert once.once_per_machine("c", compute) == "checksum 6"


def test_posterising_to_no_bits_is_black():
    """Pillow 13 refuses it, at which training with RandAugment stopped at one image in about 650."""
    transform, _ = training_transform(MODERN.replace(size=8, randaugment="rand-m10-n1-inc1"), (0.5,) * 3, (0.5,) * 3)
    operations = transform.transforms[2].ops
    posterising = [operation for operation in operations if operation.name.startswith("Posterize")]
    image = Image.new("RGB", (8, 8), (200, 100, 50))
    assert posterising and not pixels(posterising[0].aug_fn(image, 0)).any()
    for operation in operations:
        operation.prob, operation.magnitude = 1.0, 10
        assert operation(image).size == (8, 8)


def test_a_list_of_files_is_that_of_its_paths(tmp_path):
    paths = [tmp_path / name for name in ("a.png", os.fsdecode(b"\xe9.png"), "c")]
    files = FileList(paths)
    assert files == paths and list(files[::-1]) == paths[::-1] and files[-1] == paths[-1] and files[1:] == paths[1:]
    assert files.take(np.array([2, 0])) == [paths[2], paths[0]] and files != paths[:2] and not FileList()
    with pytest.raises(IndexError):
        files[3]


def test_the_forecast_of_memory_follows_the_parts(data, monkeypatch):
    recipe = ORIGINAL.replace(batch_size=8, size=1000)
    monkeypatch.setattr("ablation.data.streamed.free_memory", lambda: 60_000_000)
    with pytest.raises(AblationError, match=r"0\.2 GB for the images of one step \(8 of 1000 px"):
        data.steps_per_epoch(recipe)
    assert data.steps_per_epoch(recipe, parts=4) == 3
    with pytest.raises(AblationError, match=r"one of the 2 parts of a step \(4 of 1000 px.*a batch_size of 4 fits"):
        data.steps_per_epoch(recipe, parts=2)
