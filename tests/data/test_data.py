"""Data sets: the bundled digits, folders of images, subsets, and per-image augmentation."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from ablation import AblationError
from ablation import data as datasets
from ablation.data import decoded
from ablation.data.decoded import load_decoded
from ablation.data.in_memory import InMemory
from ablation.data.selection import Selection, split_name
from ablation.design.recipes import FAMILIES, MODERN

MICRO = FAMILIES["micro"].modern.replace(shift_px=1)


def test_digits_have_a_fixed_stratified_split():
    digits = datasets.load("digits")
    assert isinstance(digits, InMemory)
    assert digits.train_images.shape == (1442, 1, 8, 8) and digits.test_images.shape == (355, 1, 8, 8)
    counts = torch.bincount(digits.test_labels), torch.bincount(digits.train_labels)
    assert all(abs(4 * test - train) <= 5 for test, train in zip(*counts, strict=True))
    assert digits.train_images.mean().abs() < 1e-5 and abs(digits.train_images.std() - 1) < 1e-5
    assert datasets.load("digits") is digits
    assert digits.checksum == "67824da612483897", "the keys of stored results depend on it"
    train, test = (
        {tuple(image.flatten().tolist()) for image in part} for part in (digits.train_images, digits.test_images)
    )
    assert not train & test, "no test image is also a training image"


def test_info_does_not_load_the_data():
    info = datasets.info("digits")
    assert (info.size, info.num_classes, info.in_chans) == (8, 10, 1)
    assert "no evidence about large kernels" in info.note


def test_batches_depend_only_on_seed_and_epoch():
    digits = datasets.load("digits")

    def first_batch(seed, epoch, rank=0, world=1):
        return next(iter(digits.train_batches(MICRO, seed, epoch, rank, world)))

    assert torch.equal(first_batch(0, 0)[0], first_batch(0, 0)[0])
    assert not torch.equal(first_batch(0, 0)[1], first_batch(0, 1)[1])
    assert not torch.equal(first_batch(0, 0)[1], first_batch(1, 0)[1])
    halves = [first_batch(0, 0, rank, 2)[0] for rank in range(2)]
    assert torch.equal(torch.cat(halves), first_batch(0, 0)[0]), "two processes split one batch"


def test_each_training_image_occurs_at_most_once_per_epoch():
    digits = datasets.load("digits")
    plain = MICRO.replace(shift_px=0)
    images = torch.cat([batch for batch, _ in digits.train_batches(plain, 0, 0, 0, 1)])
    assert len(images) == digits.steps_per_epoch(plain) * plain.batch_size
    assert len(torch.unique(images.flatten(1), dim=0)) == len(images)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_each_test_image_occurs_once_across_processes(world):
    digits = datasets.load("digits")
    labels = torch.cat([y for rank in range(world) for _, y in digits.test_batches(MICRO, rank, world)])
    assert torch.equal(labels.bincount(), digits.test_labels.bincount())


def test_augmentation_is_drawn_per_image():
    image = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(200, 1, 1, 1)
    labels = torch.zeros(200, dtype=torch.long)
    data = InMemory(datasets.info("digits"), "", image, labels, image[:1], labels[:1], (0.0,), (1.0,))
    shifted, _ = next(iter(data.train_batches(MICRO.replace(batch_size=200), 0, 0, 0, 1)))
    assert len(torch.unique(shifted.flatten(1), dim=0)) == 9, "3 x 3 shifts by up to one pixel"
    flipped, _ = next(iter(data.train_batches(MICRO.replace(batch_size=200, shift_px=0, hflip=0.5), 0, 0, 0, 1)))
    assert len(torch.unique(flipped.flatten(1), dim=0)) == 2


def test_batches_can_start_in_the_middle_of_an_epoch():
    digits = datasets.load("digits")
    whole = list(digits.train_batches(MICRO, 0, 2, 0, 1))
    rest = list(digits.train_batches(MICRO, 0, 2, 0, 1, start=5))
    assert len(rest) == len(whole) - 5
    assert all(torch.equal(x, z) and torch.equal(y, w) for (x, y), (z, w) in zip(rest, whole[5:], strict=True))


def test_erasing_covers_rectangles_of_the_documented_sizes():
    ones = torch.ones(4000, 1, 32, 32)
    data = InMemory(
        datasets.info("digits"), "", ones, torch.zeros(4000).long(), ones[:1], torch.zeros(1), (0.0,), (1.0,)
    )
    recipe = MICRO.replace(batch_size=4000, shift_px=0, random_erasing=0.25)
    erased = next(iter(data.train_batches(recipe, 0, 0, 0, 1)))[0][:, 0] == 0
    has_erasure = erased.flatten(1).any(1)
    assert 0.22 < has_erasure.float().mean() < 0.28
    for mask in erased[has_erasure]:
        rows, columns = mask.any(1), mask.any(0)
        assert mask.sum() == rows.sum() * columns.sum(), "a rectangle"
    area = erased[has_erasure].float().mean((1, 2))
    assert 0.01 < area.min() < 0.03 and 0.3 < area.max() < 0.36
    assert abs(area.mean() - (0.02 + 1 / 3) / 2) < 0.02
    assert erased.any(0).all(), "every pixel can be erased"


def test_subsets_are_balanced_fixed_and_train_on_the_same_images():
    subset, tuning = datasets.load("digits#500"), datasets.load("digits#500+200")
    assert len(subset.train_labels) == 500 and len(tuning.test_labels) == 200
    assert torch.equal(subset.train_images, tuning.train_images), "held-out images are not in the subset"
    assert subset.train_labels.bincount().tolist() == [50] * 10 and tuning.test_labels.bincount().tolist() == [20] * 10
    assert torch.equal(subset.test_images, datasets.load("digits").test_images)
    held_out = {tuple(image.flatten().tolist()) for image in tuning.test_images}
    assert not held_out & {tuple(image.flatten().tolist()) for image in subset.train_images}
    assert subset.checksum == "a5f1ad31a6105ea8"
    assert len({subset.checksum, tuning.checksum, datasets.load("digits").checksum}) == 3
    assert split_name("imagefolder:/a#b#40+20") == ("imagefolder:/a#b", Selection(40, 20))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits#505", "#505 does not divide evenly into 10 classes"),
        ("digits#0", "#0 does not divide"),
        ("digits#500+5", r"#500\+5 does not divide"),
        ("digits#1400+100", r"#1400\+100 needs 150 images of class 0, which has 14"),
    ],
)
def test_impossible_subsets_are_refused(name, message):
    with pytest.raises(AblationError, match=message):
        datasets.load(name)


@pytest.fixture(autouse=True)
def private_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATION_DATA", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    tmp_path = tmp_path / "images"
    generator = torch.Generator().manual_seed(0)
    for split, n in (("train", 8), ("val", 3)):
        for label, name in enumerate(("ant", "bee")):
            class_folder = tmp_path / split / name
            class_folder.mkdir(parents=True)
            for i in range(n):
                pixels = torch.randint(0, 128, (40, 40, 3), generator=generator, dtype=torch.uint8) + 127 * label
                Image.fromarray(pixels.numpy()).save(class_folder / f"{i}.png")
    return tmp_path


def test_a_folder_of_images_yields_batches(folder):
    name = f"imagefolder:{folder}"
    info = datasets.info(name)
    assert (info.size, info.num_classes, info.in_chans) == (None, 2, 3)
    data = datasets.load(name)
    recipe = MODERN.replace(batch_size=4, size=32)
    assert data.steps_per_epoch(recipe) == 4
    batches = list(data.train_batches(recipe, 0, 0, 0, 1))
    assert len(batches) == 4 and batches[0][0].shape == (4, 3, 32, 32)
    for world in (1, 2, 4):
        labels = [y for rank in range(world) for _, y in data.test_batches(recipe, rank, world)]
        assert torch.cat(labels).bincount().tolist() == [3, 3]


@pytest.mark.parametrize("recipe", [MODERN, FAMILIES["small32"].modern.replace(size=40)], ids=["streamed", "in memory"])
def test_batches_of_a_folder_depend_only_on_seed_epoch_and_step(folder, recipe):
    data = datasets.load(f"imagefolder:{folder}")
    recipe = recipe.replace(batch_size=4)

    def batches(seed=0, epoch=0, rank=0, world=1, start=0):
        return list(data.train_batches(recipe, seed, epoch, rank, world, start))

    whole = batches()
    assert [len(y) for _, y in whole] == [4] * 4
    again, halves, later = batches(), [batches(rank=rank, world=2) for rank in (0, 1)], batches(start=2)
    for i, (images, labels) in enumerate(whole):
        assert torch.equal(images, again[i][0])
        assert torch.equal(images, torch.cat([half[i][0] for half in halves]))
        assert torch.equal(labels, torch.cat([half[i][1] for half in halves]))
        assert i < 2 or torch.equal(images, later[i - 2][0])
    assert not torch.equal(whole[0][0], batches(epoch=1)[0][0])
    assert not torch.equal(whole[0][0], batches(seed=1)[0][0])


def test_small_images_are_decoded_once(folder, monkeypatch, tmp_path):
    files = sorted((folder / "train").rglob("*.png"))
    pixels = np.array(load_decoded(files, 40))
    assert all(
        np.array_equal(image.transpose(1, 2, 0), np.asarray(Image.open(f)))
        for image, f in zip(pixels, files, strict=True)
    )
    with monkeypatch.context() as patched:
        patched.setattr(decoded, "read_square", lambda path, size: pytest.fail(f"{path} was decoded again"))
        assert np.array_equal(load_decoded(files, 40), pixels)
    (cache_file,) = (tmp_path / "cache" / "decoded").glob("*.npy")
    data = bytearray(cache_file.read_bytes())
    data[-100] ^= 1
    cache_file.write_bytes(data)
    assert np.array_equal(load_decoded(files, 40), pixels), "a damaged array is decoded again"
    changed = np.asarray(Image.open(files[0])) ^ 255
    Image.fromarray(changed).save(files[0])
    os.utime(files[0], (1, 1))
    assert np.array_equal(load_decoded(files, 40)[0].transpose(1, 2, 0), changed), "a changed file is decoded again"


def test_images_are_decoded_even_if_the_cache_cannot_be_written(folder, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ABLATION_DATA", str(tmp_path / "file"))
    files = sorted((folder / "train").rglob("*.png"))
    assert load_decoded(files, 40).shape == (16, 3, 40, 40)


def test_a_folder_in_memory_yields_the_same_images_as_streaming(folder):
    data = datasets.load(f"imagefolder:{folder}")
    recipe = FAMILIES["small32"].modern.replace(size=40, crop_pct=1.0)
    (in_memory,) = [images for images, _ in data.test_batches(recipe, 0, 1)]
    (streamed,) = [images for images, _ in data.test_batches(recipe.replace(crop_scale=(0.5, 1.0)), 0, 1)]
    assert torch.allclose(in_memory, streamed, atol=1e-6)


def test_the_test_folder_can_be_named_test_or_val(folder):
    expected = datasets.load(f"imagefolder:{folder}#10").checksum
    (folder / "val").rename(folder / "test")
    datasets.load.cache_clear()
    assert datasets.load(f"imagenet:{folder}#10").checksum == expected


def test_errors_name_damaged_images_and_images_of_another_size(folder):
    recipe = FAMILIES["small32"].modern.replace(size=40, batch_size=4)
    bad = folder / "train" / "bee" / "3.png"
    Image.new("RGB", (40, 30)).save(bad)
    with pytest.raises(AblationError, match=r"bee/3\.png is 40 x 30 pixels, but other images .* are 40 x 40"):
        list(datasets.load(f"imagefolder:{folder}").train_batches(recipe, 0, 0, 0, 1))
    bad.write_bytes(b"\x89PNG\r\n\x1a\n no image")
    for variant in (recipe, recipe.replace(crop_scale=(0.5, 1.0), shift_px=0)):
        with pytest.raises(AblationError, match=r"bee/3\.png could not be read as an image"):
            list(datasets.load(f"imagefolder:{folder}").train_batches(variant, 0, 0, 0, 1))


def test_a_class_without_images_is_refused(folder):
    for split in ("train", "val"):
        (folder / split / "cow").mkdir()
    with pytest.raises(AblationError, match=r"train/cow contains no images"):
        datasets.load(f"imagefolder:{folder}")


def test_unusable_data_sets_are_refused(folder):
    with pytest.raises(AblationError, match="did you mean 'digits'"):
        datasets.info("digit")
    with pytest.raises(AblationError, match="has no folder"):
        datasets.info(f"imagefolder:{folder}/nowhere")
    (folder / "train" / "cow").mkdir()
    with pytest.raises(AblationError, match="differ: cow"):
        datasets.info(f"imagefolder:{folder}")
    with pytest.raises(AblationError, match="uses crop_scale"):
        datasets.load("digits").steps_per_epoch(MODERN)
    with pytest.raises(AblationError, match="batch_size 5000"):
        datasets.load("digits").steps_per_epoch(MICRO.replace(batch_size=5000))
