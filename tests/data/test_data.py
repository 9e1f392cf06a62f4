"""Data: the embedded digits, folders of images, and augmentation for each image on its own."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from ablation import AblationError
from ablation import data as datasets
from ablation.data import decoded as decoding
from ablation.data.decoded import decoded
from ablation.data.in_memory import InMemory
from ablation.data.selection import Selection, split_name
from ablation.design.recipes import FAMILIES, MODERN

MICRO = FAMILIES["micro"].modern


def test_digits_are_real_fixed_and_stratified():
    digits = datasets.load("digits")
    assert isinstance(digits, InMemory)
    assert digits.train_images.shape == (1442, 1, 8, 8) and digits.test_images.shape == (355, 1, 8, 8)
    counts = torch.bincount(digits.test_labels), torch.bincount(digits.train_labels)
    assert all(abs(4 * test - train) <= 5 for test, train in zip(*counts, strict=True))
    assert digits.train_images.mean().abs() < 1e-5 and abs(digits.train_images.std() - 1) < 1e-5
    assert datasets.load("digits") is digits
    train, test = (
        {tuple(image.flatten().tolist()) for image in part} for part in (digits.train_images, digits.test_images)
    )
    assert not train & test, "no test image is a training image"


def test_about_needs_no_loading():
    about = datasets.info("digits")
    assert (about.size, about.num_classes, about.in_chans) == (8, 10, 1)
    assert "no evidence about large kernels" in about.note


def test_batches_depend_on_seed_and_epoch_alone():
    digits = datasets.load("digits")

    def first(seed, epoch, rank=0, world=1):
        return next(iter(digits.train_batches(MICRO, seed, epoch, rank, world)))

    assert torch.equal(first(0, 0)[0], first(0, 0)[0])
    assert not torch.equal(first(0, 0)[1], first(0, 1)[1])
    assert not torch.equal(first(0, 0)[1], first(1, 0)[1])
    halves = [first(0, 0, rank, 2)[0] for rank in range(2)]
    assert torch.equal(torch.cat(halves), first(0, 0)[0]), "two processes share the batch of one"


def test_an_epoch_meets_each_image_once():
    digits = datasets.load("digits")
    plain = MICRO.replace(shift_px=0)
    seen = torch.cat([images for images, _ in digits.train_batches(plain, 0, 0, 0, 1)])
    assert len(seen) == digits.steps_per_epoch(plain) * plain.batch_size
    assert len(torch.unique(seen.flatten(1), dim=0)) == len(seen)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_each_test_image_once_over_all_processes(world):
    digits = datasets.load("digits")
    labels = torch.cat([y for rank in range(world) for _, y in digits.test_batches(MICRO, rank, world)])
    assert torch.equal(labels.bincount(), digits.test_labels.bincount())


def test_augmentation_is_drawn_for_each_image():
    image = torch.arange(64.0).reshape(1, 1, 8, 8).repeat(200, 1, 1, 1)
    labels = torch.zeros(200, dtype=torch.long)
    data = InMemory(datasets.info("digits"), "", image, labels, image[:1], labels[:1], (0.0,), (1.0,))
    shifted, _ = next(iter(data.train_batches(MICRO.replace(batch_size=200), 0, 0, 0, 1)))
    assert len(torch.unique(shifted.flatten(1), dim=0)) == 9, "3 x 3 shifts by up to a pixel"
    flipped, _ = next(iter(data.train_batches(MICRO.replace(batch_size=200, shift_px=0, hflip=0.5), 0, 0, 0, 1)))
    assert len(torch.unique(flipped.flatten(1), dim=0)) == 2


def test_a_run_may_begin_in_the_middle_of_an_epoch():
    digits = datasets.load("digits")
    whole = list(digits.train_batches(MICRO, 0, 2, 0, 1))
    rest = list(digits.train_batches(MICRO, 0, 2, 0, 1, start=5))
    assert len(rest) == len(whole) - 5
    assert all(torch.equal(x, z) and torch.equal(y, w) for (x, y), (z, w) in zip(rest, whole[5:], strict=True))


def test_erasing_covers_rectangles_of_the_sizes_it_says():
    ones = torch.ones(4000, 1, 32, 32)
    data = InMemory(
        datasets.info("digits"), "", ones, torch.zeros(4000).long(), ones[:1], torch.zeros(1), (0.0,), (1.0,)
    )
    recipe = MICRO.replace(batch_size=4000, shift_px=0, random_erasing=0.25)
    erased = next(iter(data.train_batches(recipe, 0, 0, 0, 1)))[0][:, 0] == 0
    some = erased.flatten(1).any(1)
    assert 0.22 < some.float().mean() < 0.28
    for one in erased[some]:
        rows, columns = one.any(1), one.any(0)
        assert one.sum() == rows.sum() * columns.sum(), "a rectangle"
    area = erased[some].float().mean((1, 2))
    assert 0.01 < area.min() < 0.03 and 0.3 < area.max() < 0.36
    assert abs(area.mean() - (0.02 + 1 / 3) / 2) < 0.02
    assert erased.any(0).all(), "any pixel may be covered"


def test_part_of_a_set_is_balanced_fixed_and_shared_by_tuning():
    part, tuning = datasets.load("digits#500"), datasets.load("digits#500+200")
    assert len(part.train_labels) == 500 and len(tuning.test_labels) == 200
    assert torch.equal(part.train_images, tuning.train_images), "what is held out is held out of the rest"
    assert part.train_labels.bincount().tolist() == [50] * 10 and tuning.test_labels.bincount().tolist() == [20] * 10
    assert torch.equal(part.test_images, datasets.load("digits").test_images)
    held_out = {tuple(image.flatten().tolist()) for image in tuning.test_images}
    assert not held_out & {tuple(image.flatten().tolist()) for image in part.train_images}
    assert len({part.checksum, tuning.checksum, datasets.load("digits").checksum}) == 3
    assert split_name("imagefolder:/a#b#40+20") == ("imagefolder:/a#b", Selection(40, 20))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("digits#505", "#505 does not divide by 10 classes"),
        ("digits#0", "#0 does not divide"),
        ("digits#500+5", r"#500\+5 does not divide"),
        ("digits#1400+100", r"#1400\+100 asks for 150 images of class 0, which has 14"),
    ],
)
def test_a_part_that_is_not_there(name, message):
    with pytest.raises(AblationError, match=message):
        datasets.load(name)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ABLATION_DATA", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    tmp_path = tmp_path / "images"
    generator = torch.Generator().manual_seed(0)
    for split, n in (("train", 8), ("val", 3)):
        for label, name in enumerate(("ant", "bee")):
            place = tmp_path / split / name
            place.mkdir(parents=True)
            for i in range(n):
                pixels = torch.randint(0, 128, (40, 40, 3), generator=generator, dtype=torch.uint8) + 127 * label
                Image.fromarray(pixels.numpy()).save(place / f"{i}.png")
    return tmp_path


def test_a_folder_of_images(folder):
    name = f"imagefolder:{folder}"
    about = datasets.info(name)
    assert (about.size, about.num_classes, about.in_chans) == (None, 2, 3)
    data = datasets.load(name)
    recipe = MODERN.replace(batch_size=4, size=32)
    assert data.steps_per_epoch(recipe) == 4
    batches = list(data.train_batches(recipe, 0, 0, 0, 1))
    assert len(batches) == 4 and batches[0][0].shape == (4, 3, 32, 32)
    for world in (1, 2, 4):
        tested = [y for rank in range(world) for _, y in data.test_batches(recipe, rank, world)]
        assert torch.cat(tested).bincount().tolist() == [3, 3]


@pytest.mark.parametrize("recipe", [MODERN, FAMILIES["small32"].modern.replace(size=40)], ids=["streamed", "in memory"])
def test_batches_of_a_folder_depend_on_seed_epoch_and_step_alone(folder, recipe):
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
    pixels = np.array(decoded(files, 40))
    assert all(
        np.array_equal(image.transpose(1, 2, 0), np.asarray(Image.open(f)))
        for image, f in zip(pixels, files, strict=True)
    )
    with monkeypatch.context() as patched:
        patched.setattr(decoding, "_pixels", lambda path, size: pytest.fail(f"{path} was decoded again"))
        assert np.array_equal(decoded(files, 40), pixels)
    (kept,) = (tmp_path / "cache" / "decoded").glob("*.npy")
    data = bytearray(kept.read_bytes())
    data[-100] ^= 1
    kept.write_bytes(data)
    assert np.array_equal(decoded(files, 40), pixels), "a damaged array is decoded again"
    changed = np.asarray(Image.open(files[0])) ^ 255
    Image.fromarray(changed).save(files[0])
    os.utime(files[0], (1, 1))
    assert np.array_equal(decoded(files, 40)[0].transpose(1, 2, 0), changed), "so is one whose files changed"


def test_where_nothing_can_be_kept_images_are_decoded_all_the_same(folder, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("ABLATION_DATA", str(tmp_path / "file"))
    files = sorted((folder / "train").rglob("*.png"))
    assert decoded(files, 40).shape == (16, 3, 40, 40)


def test_a_folder_in_memory_shows_the_same_images_as_a_stream(folder):
    data = datasets.load(f"imagefolder:{folder}")
    recipe = FAMILIES["small32"].modern.replace(size=40, crop_pct=1.0)
    (ours,) = [images for images, _ in data.test_batches(recipe, 0, 1)]
    (streamed,) = [images for images, _ in data.test_batches(recipe.replace(crop_scale=(0.5, 1.0)), 0, 1)]
    assert torch.allclose(ours, streamed, atol=1e-6)


def test_test_may_stand_for_val(folder):
    before = datasets.load(f"imagefolder:{folder}#10").checksum
    (folder / "val").rename(folder / "test")
    datasets.load.cache_clear()
    assert datasets.load(f"imagenet:{folder}#10").checksum == before


def test_damaged_and_odd_images_are_named(folder):
    recipe = FAMILIES["small32"].modern.replace(size=40, batch_size=4)
    odd = folder / "train" / "bee" / "3.png"
    Image.new("RGB", (40, 30)).save(odd)
    with pytest.raises(AblationError, match=r"bee/3\.png is 40 x 30 pixels, others .* are 40 x 40"):
        list(datasets.load(f"imagefolder:{folder}").train_batches(recipe, 0, 0, 0, 1))
    odd.write_bytes(b"\x89PNG\r\n\x1a\n no image")
    for chosen in (recipe, recipe.replace(crop_scale=(0.5, 1.0))):
        with pytest.raises(AblationError, match=r"bee/3\.png cannot be read as an image"):
            list(datasets.load(f"imagefolder:{folder}").train_batches(chosen, 0, 0, 0, 1))


def test_a_class_without_images(folder):
    for split in ("train", "val"):
        (folder / split / "cow").mkdir()
    with pytest.raises(AblationError, match=r"train/cow holds no image"):
        datasets.load(f"imagefolder:{folder}")


def test_bad_data_sets(folder):
    with pytest.raises(AblationError, match="did you mean 'digits'"):
        datasets.info("digit")
    with pytest.raises(AblationError, match="has no folder"):
        datasets.info(f"imagefolder:{folder}/nowhere")
    (folder / "train" / "cow").mkdir()
    with pytest.raises(AblationError, match="differ: cow"):
        datasets.info(f"imagefolder:{folder}")
    with pytest.raises(AblationError, match="asks for crop_scale"):
        datasets.load("digits").steps_per_epoch(MODERN)
    with pytest.raises(AblationError, match="batch_size 5000"):
        datasets.load("digits").steps_per_epoch(MICRO.replace(batch_size=5000))
