"""Checkpoints as other programs write them give the network that was saved, or a message with what is extra or missing."""

import argparse
import re

import pytest
import timm
import torch
import torchvision

from ablation import RESNET50, AblationError, build, from_timm, to_timm
from ablation.network import load_timm_state, read_state_dict
from ablation.network.timm_creation import load_timm
from ablation.network.unwrap import unwrap
from tests.laws import randomise

NAME = "test_convnext"
SMALL = RESNET50.replace(width=4)


@pytest.fixture(scope="module")
def model():
    return randomise(timm.create_model(NAME, num_classes=3, in_chans=1)).eval()


def logits(model):
    with torch.inference_mode():
        return model.eval()(torch.linspace(-1, 1, 64 * 64).reshape(1, 1, 64, 64))


def as_the_authors_name_them(state):
    """Return a ConvNeXt's state dict with the names of the authors' code, whose pointwise convolutions are linear layers."""
    renamed = {}
    for name, value in state.items():
        name = re.sub(r"^stem\.", "downsample_layers.0.", name)
        name = re.sub(r"stages\.(\d)\.downsample", r"downsample_layers.\1", name)
        name = re.sub(r"stages\.(\d)\.blocks", r"stages.\1", name).replace("conv_dw", "dwconv")
        name = name.replace("mlp.fc", "pwconv").replace("head.norm", "norm").replace("head.fc", "head")
        renamed[name] = value.flatten(1) if "pwconv" in name and value.ndim == 4 else value
    return renamed


def test_the_authors_own_checkpoint_is_read(model, tmp_path):
    state = as_the_authors_name_them(model.state_dict())
    assert {"downsample_layers.0.0.weight", "stages.2.0.dwconv.bias", "stages.0.0.pwconv1.weight", "norm.bias"} <= set(
        state
    )
    torch.save({"model": state, "epoch": 299, "args": argparse.Namespace(lr=4e-3)}, tmp_path / "convnext.pth")
    loaded, _ = load_timm(NAME, tmp_path / "convnext.pth")
    assert torch.equal(logits(loaded), logits(model))
    assert (loaded.num_classes, loaded.pretrained_cfg["num_classes"]) == (3, 1000)


def test_from_timm_reads_the_authors_own_checkpoint(tmp_path):
    theirs = randomise(timm.create_model("convnext_atto", num_classes=3)).eval()
    torch.save({"model": as_the_authors_name_them(theirs.state_dict())}, tmp_path / "atto.pth")
    ours = from_timm("convnext_atto", file=tmp_path / "atto.pth", num_classes=3).eval()
    x = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


WRAPPINGS = {
    "state_dict": lambda s: {"state_dict": s},
    "model": lambda s: {"model": s, "optimizer": {"lr": 0.1}},
    "model_state_dict": lambda s: {"model_state_dict": s, "loss": 0.3},
    "net": lambda s: {"net": s, "acc": 95.0},
    "nested": lambda s: {"state_dict": {"model": s}},
    "DDP": lambda s: {f"module.{name}": value for name, value in s.items()},
    "compiled": lambda s: {f"_orig_mod.{name}": value for name, value in s.items()},
    "Lightning": lambda s: {"state_dict": {f"model.{n}": v for n, v in s.items()}, "pytorch-lightning_version": "2.5"},
    "all": lambda s: {"model": {f"module._orig_mod.model.{name}": value for name, value in s.items()}},
    "EMA of timm": lambda s: {"state_dict": {n: v * 0 for n, v in s.items()}, "state_dict_ema": s},
    "EMA of torchvision": lambda s: {
        "model": {n: v * 0 for n, v in s.items()},
        "model_ema": {"n_averaged": torch.tensor(9), **{f"module.{n}": v for n, v in s.items()}},
    },
    "EMA alone": lambda s: {"model_ema": s, "model": None},
    "thop": lambda s: {
        **s,
        "total_ops": torch.zeros(1),
        "stem.total_ops": torch.ones(1),
        "stem.total_params": torch.ones(1),
    },
    "thop and DDP": lambda s: {"total_ops": torch.zeros(1), **{f"module.{name}": value for name, value in s.items()}},
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_wrapped_checkpoints_give_the_state_dict(model, tmp_path, wrapping):
    torch.save(WRAPPINGS[wrapping](model.state_dict()), tmp_path / "w.pth")
    state = read_state_dict(tmp_path / "w.pth")
    assert list(state) == list(model.state_dict())
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("keys", [("state_dict_ema", "state_dict"), ("model_ema", "model")])
def test_with_averaged_and_raw_weights_it_is_said_which_are_used(keys):
    averaged, raw = {"a": torch.ones(1)}, {"a": torch.zeros(1)}
    data = {keys[1]: raw, keys[0]: averaged}
    state, note = unwrap(data, "FILE")
    assert state["a"].item() == 1
    assert (
        note == f"FILE holds averaged (EMA) weights under {keys[0]!r}, which are used, and raw ones under {keys[1]!r}"
    )
    state, note = unwrap(data, "FILE", averaged=False)
    assert state["a"].item() == 0
    assert (
        note == f"FILE holds raw weights under {keys[1]!r}, which are used, and averaged (EMA) ones under {keys[0]!r}"
    )
    assert unwrap({keys[1]: raw}, "FILE")[1] == ""


def test_a_resnet_without_num_batches_tracked_is_read(tmp_path):
    theirs = randomise(timm.create_model("test_resnet", num_classes=3)).eval()
    old = {name: value for name, value in theirs.state_dict().items() if "num_batches_tracked" not in name}
    torch.save(old, tmp_path / "old.pth")
    loaded, _ = load_timm("test_resnet", tmp_path / "old.pth")
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in old.items())
    names = {n: v for n, v in to_timm(randomise(build(SMALL))).items() if "num_batches_tracked" not in n}
    ours = build(SMALL)
    load_timm_state(ours, names)
    assert torch.equal(ours.stem.norm.running_var, names["bn1.running_var"])


def test_what_is_missing_and_extra_is_named(model, tmp_path):
    state = model.state_dict()
    del state["head.fc.bias"]
    state["head.extra"] = torch.ones(1)
    torch.save(state, tmp_path / "w.pth")
    message = r"w\.pth do not fit test_convnext\. Tensors: 1 missing, such as head\.fc\.bias, 1 not in the network, such as head"
    with pytest.raises(AblationError, match=message):
        load_timm(NAME, tmp_path / "w.pth")
    authors = as_the_authors_name_them(model.state_dict())
    del authors["stages.1.0.dwconv.weight"]
    torch.save(authors, tmp_path / "w.pth")
    with pytest.raises(AblationError, match=r"Tensors: 1 missing, such as stages\.1\.blocks\.0\.conv_dw\.weight:"):
        load_timm(NAME, tmp_path / "w.pth")


@pytest.mark.parametrize("name", ["dla34", "vgg11", "test_vit", "densenet121", "test_efficientnet"])
def test_weights_of_another_model_are_never_loaded_in_part(model, tmp_path, name):
    torch.save(model.state_dict(), tmp_path / "w.pth")
    with pytest.raises(AblationError, match=rf"do not fit {name}\. Tensors: \d+ missing.*belong to another model"):
        load_timm(name, tmp_path / "w.pth")


def test_nan_is_refused_in_foreign_weights_too(model, tmp_path):
    state = {name: value.clone() for name, value in model.state_dict().items()}
    state["head.fc.bias"][0] = float("nan")
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(AblationError, match=r"are not finite: head\.fc\.bias holds NaN or infinity"):
        load_timm(NAME, tmp_path / "w.pth")
    named = to_timm(build(SMALL))
    named["fc.weight"] = named["fc.weight"] / 0
    with pytest.raises(AblationError, match=r"are not finite: head\.fc\.weight"):
        load_timm_state(build(SMALL), named)


def test_torchvision_s_names_are_read_where_timm_knows_them(tmp_path):
    theirs = randomise(torchvision.models.densenet121(num_classes=3)).eval()
    torch.save({"model": theirs.state_dict()}, tmp_path / "densenet.pth")
    loaded, _ = load_timm("densenet121", tmp_path / "densenet.pth")
    x = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(loaded.eval()(x), theirs(x))
