"""`ablation evaluate` uses the image size and normalisation of a timm model."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config

from tests.commands.running import ablation


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder with two classes of images of several sizes, with 7 and 5 validation images."""
    root, generator = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for split, counts in (("train", (2, 2)), ("val", (7, 5))):
        for name, count in zip(("cat", "dog"), counts, strict=True):
            (root / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(0, 256, (40 + 9 * i, 60, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{i}.png")
    return root


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet10t"])
def test_a_timm_checkpoint_is_evaluated_with_its_own_configuration(tmp_path, folder, capsys, name):
    torch.manual_seed(1)
    network = timm.create_model(name, num_classes=2).eval()
    torch.save(network.state_dict(), tmp_path / "published.pth")
    config = resolve_data_config({}, model=network)
    transform = create_transform(**config)
    with torch.inference_mode():
        images = [
            transform(Image.open(file))[None]
            for label in ("cat", "dog")
            for file in sorted((folder / "val" / label).iterdir())
        ]
        logits = torch.cat([network(image) for image in images])
    labels = torch.tensor([0] * 7 + [1] * 5)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    accuracy = 100 * (logits.argmax(1) == labels).float().mean()
    arguments = ("--model", name, "--weights", tmp_path / "published.pth", "--data", f"imagefolder:{folder}")
    code, out, error = ablation("evaluate", *arguments, capsys=capsys)
    assert code == 0, error
    size = config["input_size"][-1]
    assert out == f"{name}: top-1 {accuracy:.2f} %, cross entropy {loss:.4f}, 12 test images of {size} px\n"


def test_a_trained_timm_model_is_evaluated_with_the_same_accuracy(tmp_path, capsys):
    arguments = ("train", "--model", "test_resnet", "--data", "digits#500", "--store", tmp_path)
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "timm:test_resnet, recipe micro-modern" in out
    trained = next(line for line in out.splitlines() if line.startswith("top-1")).split()[1]
    (weights,) = (tmp_path / "weights").glob("*.safetensors")
    code, out, error = ablation("evaluate", "--model", "test_resnet", "--weights", weights, capsys=capsys)
    assert code == 0, error
    assert f"top-1 {trained} %" in out and "355 test images of 8 px" in out
