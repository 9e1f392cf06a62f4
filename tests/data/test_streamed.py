"""A recipe has one meaning for a folder: streamed or in memory, whatever the size of its images, or it is refused."""

import numpy as np
import pytest
import torch
from PIL import Image

from ablation import AblationError
from ablation import data as datasets
from ablation.data import folder as folders
from ablation.data import streamed
from ablation.design.recipes import FAMILIES, MODERN, ORIGINAL

PLAIN = FAMILIES["small32"].modern.replace(batch_size=4, size=16, shift_px=3, random_erasing=0.6)
SMALL64 = FAMILIES["small64"].modern


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two classes of four training images and two test images, 16 x 16; no image repeats another."""
    monkeypatch.setenv("ABLATION_DATA", str(tmp_path / "cache"))
    datasets.load.cache_clear()
    draw = np.random.default_rng(0)
    for split, number in (("train", 4), ("val", 2)):
        for name in ("ant", "bee"):
            for i in range(number):
                file = tmp_path / "images" / split / name / f"{i}.png"
                file.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(file)
    return tmp_path / "images"


def batches(data, recipe, **options):
    return list(data.train_batches(recipe, **{"seed": 0, "epoch": 1, "rank": 0, "world": 1, **options}))


@pytest.mark.parametrize("limit", ["_MAX_PX", "_MAX_BYTES"])
def test_streamed_batches_equal_those_in_memory(root, monkeypatch, limit):
    data = datasets.load(f"imagefolder:{root}")
    held, tested = batches(data, PLAIN), list(data.test_batches(PLAIN, 0, 1))
    monkeypatch.setattr(folders, limit, 8)
    monkeypatch.setattr(folders, "load_decoded", None)
    streamed_batches = batches(data, PLAIN)
    assert len(held) == len(streamed_batches) == 2
    for (images, labels), (others, other_labels) in zip(
        held + tested, streamed_batches + list(data.test_batches(PLAIN, 0, 1)), strict=True
    ):
        assert torch.equal(images, others) and torch.equal(labels, other_labels)
    halves = [batches(data, PLAIN, rank=rank, world=2, start=1)[0][0] for rank in range(2)]
    assert torch.equal(torch.cat(halves), held[1][0])


def test_test_images_of_the_size_of_the_recipe_are_used_whole(root):
    data = datasets.load(f"imagefolder:{root}")
    images = torch.cat([batch for batch, _ in data.test_batches(PLAIN, 0, 1)])
    pixels = torch.stack([streamed.pixels(Image.open(file)) for file in data.test_files]) / 255
    expected = (pixels - torch.tensor(data.mean).view(-1, 1, 1)) / torch.tensor(data.std).view(-1, 1, 1)
    torch.testing.assert_close(images, expected)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            SMALL64,
            "must have its size of 64 x 64 pixels.* has 16 x 16: resize the images, set size to theirs, or use --recipe paper",
        ),
        (FAMILIES["micro"].modern, "'micro-modern' crops no images .* 224 x 224 pixels"),
        (PLAIN.replace(size=15), "must have its size of 15 x 15"),
        (PLAIN.replace(randaugment="rand-m9", size=15, shift_px=0), "must have its size of 15 x 15"),
        (PLAIN.replace(crop_scale=(0.5, 1.0)), "sets shift_px and crop_scale.*set shift_px=0"),
        (PLAIN.replace(crop_scale=(0.5, 1.0), randaugment="rand-m9"), "sets shift_px and crop_scale and randaugment"),
    ],
)
def test_a_recipe_that_cannot_be_applied_is_refused_before_the_first_step(root, recipe, message):
    with pytest.raises(AblationError, match=message) as raised:
        datasets.load(f"imagefolder:{root}").steps_per_epoch(recipe.replace(batch_size=4))
    assert "\n" not in str(raised.value)


def test_a_single_image_of_another_size_is_refused_where_it_is_read(root, monkeypatch):
    Image.new("RGB", (16, 12)).save(root / "train" / "bee" / "2.png")
    monkeypatch.setattr(folders, "_MAX_PX", 8)
    with pytest.raises(AblationError, match=r"^\S+bee/2\.png is 16 x 12 pixels, .* are 16 x 16"):
        batches(datasets.load(f"imagefolder:{root}"), PLAIN)


def test_an_image_that_cannot_be_read_by_a_worker_is_one_line(root):
    (root / "train" / "bee" / "2.png").write_bytes(b"no image")
    with pytest.raises(AblationError) as raised:
        batches(datasets.load(f"imagefolder:{root}"), MODERN.replace(batch_size=4, size=16))
    assert "bee/2.png is not an image" in str(raised.value) and "\n" not in str(raised.value)


def test_randaugment_without_crops_crops_nothing(root):
    recipe = PLAIN.replace(shift_px=0, hflip=0.0, random_erasing=0.0, randaugment="rand-m0-n1", batch_size=8)
    data = datasets.load(f"imagefolder:{root}")
    (plain, _), *_ = batches(data, recipe.replace(randaugment=""))
    (changed, _), *_ = batches(data, recipe)
    same = (plain - changed).abs().flatten(1).amax(1) < 1e-5
    assert same.any(), "a policy of magnitude 0 leaves images as they are, so that none was cropped and resized"


@pytest.mark.parametrize(("recipe", "noise"), [(PLAIN, False), (PLAIN.replace(crop_scale=(1.0, 1.0)), True)])
def test_the_recipe_decides_what_erasing_fills_in(root, recipe, noise):
    recipe = recipe.replace(random_erasing=1.0, shift_px=0, hflip=0.0)
    data = datasets.load(f"imagefolder:{root}")
    (images, _), *_ = batches(data, recipe)
    assert bool((images == 0).all(1).any()) is not noise


def test_memory_is_forecast_before_the_first_step(root, monkeypatch):
    data = datasets.load(f"imagefolder:{root}")
    recipe = ORIGINAL.replace(batch_size=8, size=1000)
    assert data.steps_per_epoch(recipe) == 1
    monkeypatch.setattr(streamed, "free_memory", lambda: 100_000_000)
    message = r"needs 0\.2 GB for the images of one step \(8 of 1000 px.*0\.1 GB are available: a batch_size of 4 fits"
    with pytest.raises(AblationError, match=message):
        data.steps_per_epoch(recipe)
    assert data.steps_per_epoch(recipe.replace(batch_size=4)) == 2
    monkeypatch.setattr(streamed, "free_memory", lambda: 1000)
    with pytest.raises(AblationError, match="a smaller size, or smaller images, are needed"):
        data.steps_per_epoch(recipe)


def test_the_largest_picture_is_part_of_the_forecast(root, monkeypatch):
    Image.new("RGB", (3000, 2000)).save(root / "val" / "bee" / "1.png")
    data = datasets.load(f"imagefolder:{root}")
    monkeypatch.setattr(streamed, "free_memory", lambda: 60_000_000)
    with pytest.raises(AblationError, match="read from files of up to 3000 x 2000 px"):
        data.steps_per_epoch(ORIGINAL.replace(batch_size=4, size=16))


def test_the_memory_that_is_left_is_a_plausible_number():
    assert 2**20 < streamed.free_memory() < 2**50
