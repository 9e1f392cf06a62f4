"""Evaluation of timm models: the pixels are those of timm's own transform, for every kind of crop that its models use."""

import functools

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config
from timm.models._registry import _model_pretrained_cfgs

from ablation import data as datasets
from ablation.data.buffers import Buffers
from ablation.data.chunks import _assemble
from ablation.data.streamed import Request
from ablation.design.recipes import FAMILIES
from tests.commands.running import ablation

RECIPE = FAMILIES["micro"].modern


@functools.cache
def kinds():
    """Return one configuration for each kind of crop, interpolation and share of the crop in timm, with small images."""
    found = {}
    for config in _model_pretrained_cfgs.values():
        values = {**config.to_dict(), "input_size": (3, 24, 20) if len(found) % 5 == 4 else (3, 24, 24)}
        resolved = resolve_data_config({}, pretrained_cfg=values)
        kind = tuple(resolved[name] for name in ("crop_mode", "interpolation", "crop_pct"))
        found.setdefault(kind, values)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A wide photograph with noise, and a tall one, neither of which is square."""
    root, draw = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for split in ("train", "val"):
        for name, shape in (("tall", (61, 37, 3)), ("wide", (31, 83, 3))):
            (root / split / name).mkdir(parents=True)
            Image.fromarray(draw.integers(0, 256, shape, dtype=np.uint8)).save(root / split / name / "0.png")
    return datasets.load(f"imagefolder:{root}")


def test_all_kinds_of_crops_occur():
    assert {kind[0] for kind in kinds()} == {"center", "squash", "border"} and len(kinds()) > 40


def test_pixels_are_those_of_timm(folder, monkeypatch):
    monkeypatch.setattr("ablation.data.folder.stream", in_this_process)
    for kind, config in kinds().items():
        (images, labels), *_ = folder.evaluated_as(config).test_batches(RECIPE, 0, 1)
        transform = create_transform(**resolve_data_config({}, pretrained_cfg=config))
        expected = torch.stack([transform(Image.open(file)) for file in folder.test_files])
        assert torch.equal(images, expected), kind
        assert labels.tolist() == [0, 1]


def in_this_process(images, batches, image_bytes, statistics, **options):
    """Read without worker processes, which take longer to start than these images to read."""
    chunks = (images.__getitems__(Request(batch)) for batch in batches)
    here, buffers = torch.device("cpu"), Buffers()
    return (_assemble(iter([chunk]), len(chunk.images), statistics, here, buffers) for chunk in chunks)


def test_the_recipe_decides_where_there_is_no_configuration(folder):
    (images, _), *_ = folder.test_batches(RECIPE.replace(size=16, crop_pct=1.0), 0, 1)
    assert images.shape == (2, 3, 16, 16)


def test_images_of_a_fixed_size_are_only_normalised():
    data = datasets.load("longrange")
    config = {"mean": (0.25,), "std": (0.5,), "input_size": (1, 8, 8), "crop_pct": 0.5, "crop_mode": "squash"}
    (images, _), *_ = data.evaluated_as(config).test_batches(RECIPE, 0, 1)
    torch.testing.assert_close(images, (data.test_images[:256] / 255 - 0.25) / 0.5)


def test_the_command_squashes_the_images_of_a_model_that_does(folder, tmp_path, capsys, monkeypatch):
    config = _model_pretrained_cfgs["resnet10t"]
    for name, value in {"crop_mode": "squash", "crop_pct": 0.9, "input_size": (3, 64, 64)}.items():
        monkeypatch.setattr(config, name, value)
    torch.manual_seed(0)
    network = timm.create_model("resnet10t", num_classes=2).eval()
    torch.save(network.state_dict(), tmp_path / "published.pth")
    transform = create_transform(**resolve_data_config({}, model=network))
    assert resolve_data_config({}, model=network)["crop_mode"] == "squash"
    with torch.inference_mode():
        logits = network(torch.stack([transform(Image.open(file)) for file in folder.test_files]))
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1]))
    arguments = ("--model", "resnet10t", "--weights", tmp_path / "published.pth", "--data", folder.info.name)
    code, out, error = ablation("evaluate", *arguments, capsys=capsys)
    assert code == 0, error
    assert f"cross entropy {loss:.4f}, 2 test images of 64 px" in out
