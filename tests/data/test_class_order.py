"""The order of classes: that of torchvision or timm, the same streamed and in memory, and stated by the data."""

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data.readers.reader_image_folder import ReaderImageFolder
from timm.utils.misc import natural_key as natural_key_of_timm
from torchvision.datasets import ImageFolder

from ablation import AblationError
from ablation import data as datasets
from ablation.data.class_order import natural_key, orders_differ, sort_classes
from ablation.design.recipes import FAMILIES

NUMBERS = [str(i) for i in range(12)]
RECIPE = FAMILIES["small32"].modern.replace(size=8, crop_pct=1.0)
STREAMED = RECIPE.replace(crop_scale=(0.5, 1.0))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Twelve classes named by numbers; the images of class i have the value 20 i."""
    monkeypatch.setenv("ABLATION_DATA", str(tmp_path / "cache"))
    for split, name, i in ((split, name, i) for split in ("train", "val") for name in NUMBERS for i in range(2)):
        file = tmp_path / "images" / split / name / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 20 * int(name), np.uint8)).save(file)
    return tmp_path / "images"


def values(data, recipe):
    """Return {label: name of the class, as its pixels show it}."""
    result = {}
    for images, labels in data.test_batches(recipe, 0, 1):
        pixels = images * torch.tensor(data.std).view(-1, 1, 1) + torch.tensor(data.mean).view(-1, 1, 1)
        names = (pixels.mean((1, 2, 3)) * 255 / 20).round().int().tolist()
        result |= dict(zip(labels.tolist(), map(str, names), strict=True))
    return result


@pytest.mark.parametrize("order", ["torchvision", "timm"])
@pytest.mark.parametrize("recipe", [RECIPE, STREAMED], ids=["in memory", "streamed"])
def test_labels_are_those_of_the_library_named(folder, order, recipe):
    data = datasets.load(f"imagefolder:{folder}", class_order=order)
    reader = ImageFolder if order == "torchvision" else ReaderImageFolder
    indices = reader(str(folder / "val")).class_to_idx
    assert dict(enumerate(data.classes)) == values(data, recipe) == {i: name for name, i in indices.items()}
    assert data.orders_differ


def test_the_order_changes_the_labels_and_the_checksum_but_not_the_selected_images(folder):
    text, natural = (
        datasets.load(f"imagefolder:{folder}#12+12", class_order=order) for order in ("torchvision", "timm")
    )
    assert text.train_files == natural.train_files and text.test_files == natural.test_files
    assert text.train_labels.tolist() != natural.train_labels.tolist()
    assert text.checksum != natural.checksum
    assert len(text.names_checksum) == 16 and natural.names_checksum is None, "earlier versions knew one order"


@pytest.mark.parametrize(
    ("names", "differ"),
    [
        (NUMBERS, True),
        (NUMBERS[:10], False),
        ([f"{i:02}" for i in range(12)], False),
        (["ant", "Bee"], True),
        (["Ant", "Bee"], False),
        (["n01440764", "n02102040"], False),
        (["a", "A"], False),
    ],
)
def test_whether_the_orders_differ(names, differ):
    assert orders_differ(names) == differ


@pytest.mark.parametrize("name", ["a10", "10a2", "B", "1/2", "", "x_٣", "ß"])
def test_the_natural_key_is_that_of_timm(name):
    assert list(natural_key(name)) == natural_key_of_timm(name)


def test_a_superscript_is_no_number():
    assert sort_classes(["1²3", "1a"], "timm") == ("1a", "1²3")


def test_data_sets_state_their_classes():
    assert datasets.load("digits").classes == datasets.load("digits#500").classes == tuple("0123456789")
    assert datasets.load("longrange").classes == ("different", "same")
    assert not datasets.load("digits").orders_differ


def test_an_order_that_is_not_possible_is_refused(folder):
    with pytest.raises(AblationError, match="unknown class order 'tim'; did you mean 'timm'"):
        datasets.load(f"imagefolder:{folder}", class_order="tim")
    with pytest.raises(AblationError, match="the labels of digits are fixed"):
        datasets.load("digits", class_order="timm")
