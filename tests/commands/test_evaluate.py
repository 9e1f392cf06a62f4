"""`ablation evaluate` uses the image size and normalisation of a timm model."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config
from torch import nn

from ablation import RESNET50, Trial, load_weights, run
from ablation.commands import evaluate
from ablation.design.recipes import MICRO_MODERN
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
    note, last = out.splitlines()
    assert (
        note == f"{tmp_path / 'published.pth'} does not name its classes: the folders are taken in torchvision's order"
    )
    assert last == f"{name}: top-1 {accuracy:.2f} %, cross entropy {loss:.4f}, 12 test images of {size} px"


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


def colours(root, names):
    """Create a folder of flat 8 px images, one colour per class, in which names[i] has the i-th colour."""
    for split in ("train", "val"):
        for i, name in enumerate(names):
            (root / split / name).mkdir(parents=True)
            for shade in range(2):
                pixels = np.full((8, 8, 3), 20 * i + 5 + shade, dtype=np.uint8)
                Image.fromarray(pixels).save(root / split / name / f"{shade}.png")
    return f"imagefolder:{root}"


NAMES = [str(i) for i in range(12)]


class Reader(nn.Module):
    """Logits that are right for the colours of `colours`."""

    def __init__(self, cfg):
        super().__init__()
        self.pretrained_cfg, self.num_classes, self.in_chans = cfg, 12, 3

    def forward(self, x):
        shade = (x.mean((1, 2, 3)) * 255 / 20).floor()  # 20 shades a class
        return -(shade[:, None] - torch.arange(12)).abs()


PLAIN = {"mean": (0.0,) * 3, "std": (1.0,) * 3, "input_size": (3, 8, 8)}
PADDED = tuple(f"{i:02}" for i in range(12))
DIFFER = "It differs from timm's (0, 1, 2, 3, ...): if the network was trained with that, give --class-order timm"


@pytest.mark.parametrize(
    ("classes", "options", "accuracy", "note"),
    [
        (PADDED, (), 100, "classes are matched by name"),
        (tuple(sorted(NAMES)), (), 16.67, ""),
        (None, (), 16.67, f"the folders are taken in torchvision's order (0, 1, 10, 11, ...). {DIFFER}"),
        (None, ("--class-order", "torchvision"), 16.67, DIFFER),
        (
            None,
            ("--class-order", "timm"),
            100,
            "the folders are taken in timm's order (0, 1, 2, 3, ...). It differs from",
        ),
    ],
    ids=["by name", "by name in the order of the files", "unknown", "torchvision", "timm"],
)
def test_classes_are_matched_by_name_or_in_a_stated_order(
    tmp_path, monkeypatch, capsys, classes, options, accuracy, note
):
    data = colours(tmp_path, NAMES)
    cfg = {**PLAIN, **({} if classes is None else {"label_names": classes})}
    monkeypatch.setattr(evaluate, "load_network", lambda _: ("reader", Reader(cfg)))
    code, out, error = ablation("evaluate", "--data", data, *options, capsys=capsys)
    assert code == 0, error
    assert f"top-1 {accuracy:.2f} %" in out and note in out


def test_weights_keep_the_names_of_the_classes_and_others_are_refused(tmp_path, capsys):
    names = ["ant", "bee"]
    data = colours(tmp_path / "named", names)
    recipe = MICRO_MODERN.replace(size=8, batch_size=2, epochs=1, warmup_epochs=0)
    trial = Trial(RESNET50.replace(width=4, depths=(1, 1, 1, 1), stem_stride=1), recipe, data)
    outcome = run(trial, tmp_path / "runs")
    (file,) = (tmp_path / "runs/weights").iterdir()
    assert load_weights(file).pretrained_cfg["label_names"] == ("ant", "bee")
    code, out, _ = ablation("evaluate", "--weights", file, "--data", data, capsys=capsys)
    assert code == 0 and f"top-1 {outcome.accuracy:.2f} %" in out and len(out.splitlines()) == 1
    other = colours(tmp_path / "other", ["ant", "wasp"])
    code, _, error = ablation("evaluate", "--weights", file, "--data", other, capsys=capsys)
    assert code == 2 and "are not those of the data: bee are not there, and wasp are new" in error
    code, out, _ = ablation(
        "evaluate", "--weights", file, "--data", other, "--class-order", "torchvision", capsys=capsys
    )
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("evaluate", "--class-order", "tim"), "did you mean 'timm'"),
        (
            ("see", "--model", "convnext_atto.lol"),
            "no weights 'lol' of convnext_atto; did you mean 'convnext_atto.d2_in1k'",
        ),
        (("evaluate", "--model", "test_resnet.r160_in1"), "did you mean 'test_resnet.r160_in1k'"),
        (("train", "--model", "vit_tiny_patch16_224", "--data", "digits"), "images of 1 x 8 x 8"),
        (("train", "--model", "test_convnext", "--data", "digits"), "Images of 32 px would do"),
    ],
)
def test_what_does_not_fit_is_told_in_one_message(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, _, error = ablation(*arguments, capsys=capsys)
    assert code == 2 and message in error and len(error.splitlines()) == 1


def test_it_is_said_which_of_averaged_and_raw_weights_are_scored(tmp_path, capsys):
    model = timm.create_model("test_resnet", num_classes=10, in_chans=1)
    raw = {name: value * 0 for name, value in model.state_dict().items()}
    torch.save({"state_dict": raw, "state_dict_ema": model.state_dict()}, tmp_path / "both.pth")
    arguments = ("evaluate", "--model", "test_resnet", "--weights", tmp_path / "both.pth", "--data", "digits")
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 0, error
    assert "averaged (EMA) weights under 'state_dict_ema', which are used" in out
    code, out, error = ablation(*arguments, "--raw", capsys=capsys)
    assert code == 0, error
    assert "raw weights under 'state_dict', which are used" in out
    assert "cross entropy 2.3026" in out, "all logits are 0"
    assert f"normalised as those of digits, since {tmp_path / 'both.pth'} says how for 3 channels" in out
