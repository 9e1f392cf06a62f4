"""Data: the embedded digits, folders of images, and augmentation for each image on its own."""

import pytest
import torch
from PIL import Image

from ablation import AblationError
from ablation.study import data as datasets
from ablation.study.memory import InMemory
from ablation.study.recipe import FAMILIES, MODERN

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
    about = datasets.about("digits")
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
    data = InMemory(datasets.about("digits"), "", image, labels, image[:1], labels[:1], (0.0,), (1.0,))
    shifted, _ = next(iter(data.train_batches(MICRO.replace(batch_size=200), 0, 0, 0, 1)))
    assert len(torch.unique(shifted.flatten(1), dim=0)) == 9, "3 x 3 shifts by up to a pixel"
    flipped, _ = next(iter(data.train_batches(MICRO.replace(batch_size=200, shift_px=0, hflip=0.5), 0, 0, 0, 1)))
    assert len(torch.unique(flipped.flatten(1), dim=0)) == 2


@pytest.fixture
def folder(tmp_path):
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
    about = datasets.about(name)
    assert (about.size, about.num_classes, about.in_chans) == (None, 2, 3)
    data = datasets.load(name)
    recipe = MODERN.replace(batch_size=4, size=32)
    assert data.steps_per_epoch(recipe) == 4
    batches = list(data.train_batches(recipe, 0, 0, 0, 1))
    assert len(batches) == 4 and batches[0][0].shape == (4, 3, 32, 32)
    for world in (1, 2, 4):
        tested = [y for rank in range(world) for _, y in data.test_batches(recipe, rank, world)]
        assert torch.cat(tested).bincount().tolist() == [3, 3]


def test_bad_data_sets(folder):
    with pytest.raises(AblationError, match="did you mean 'digits'"):
        datasets.about("digit")
    with pytest.raises(AblationError, match="has no folder"):
        datasets.about(f"imagefolder:{folder}/nowhere")
    (folder / "train" / "cow").mkdir()
    with pytest.raises(AblationError, match="differ: cow"):
        datasets.about(f"imagefolder:{folder}")
    with pytest.raises(AblationError, match="asks for crop_scale"):
        datasets.load("digits").steps_per_epoch(MODERN)
    with pytest.raises(AblationError, match="batch_size 5000"):
        datasets.load("digits").steps_per_epoch(MICRO.replace(batch_size=5000))
