"""Parity with timm: same weights, same logits, in both directions, with all parameters and buffers randomised."""

from collections.abc import Callable

import pytest
import timm
import torch
from torch import nn

from ablation import AblationError, build, convnext, from_timm, roadmap, to_timm
from ablation.network import load_timm_state
from ablation.network.timm_weights import TIMM_MODELS
from tests.laws import randomise

NAMES = ["resnet50", "convnext_tiny", "convnext_small", "convnext_base"]
NAMES += [f"convnext_{size}" for size in ("atto", "femto", "pico", "nano")]
TOLERANCE = 1e-9


def difference(ours: nn.Module, theirs: nn.Module) -> float:
    """Return the largest difference between the logits of two networks in eval mode, relative to the largest logit."""
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        actual, expected = ours.double().eval()(x), theirs.double().eval()(x)
    return ((actual - expected).abs().max() / expected.abs().max()).item()


def uninitialised(make: Callable[[], nn.Module]) -> nn.Module:
    """Return a network in float64 without the time that initial values take; what its memory holds is arbitrary."""
    with torch.device("meta"):
        network = make()
    return network.double().to_empty(device="cpu")


@pytest.mark.parametrize("name", NAMES)
def test_logits_agree_with_timm_s_weights_and_with_ours(name):
    theirs = randomise(uninitialised(lambda: timm.create_model(name)), seed=2)
    ours = uninitialised(lambda: build(TIMM_MODELS[name]))
    load_timm_state(ours, theirs.state_dict())
    assert difference(ours, theirs) < TOLERANCE
    randomise(ours, seed=3)
    assert difference(ours, theirs) > 1e-3, "different weights must give different logits"
    theirs.load_state_dict(to_timm(ours))
    assert difference(ours, theirs) < TOLERANCE


@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny"])
def test_the_logits_differ_if_one_block_is_altered(name):
    theirs = randomise(timm.create_model(name).double(), seed=2)
    ours = build(TIMM_MODELS[name]).double()
    load_timm_state(ours, theirs.state_dict())
    block = ours.stages[2].blocks[3]
    alterations = {
        "different activation": lambda: setattr(block.branch, "act2", nn.SiLU()),
        "no shortcut": lambda: setattr(block, "shortcut", nn.MaxPool2d(3, 1, 1)),
        "different eps": lambda: setattr(block.branch.norm1, "eps", 1e-2),
    }
    for alter in alterations.values():
        before = {key: getattr(block.branch, key) for key in ("act2", "norm1")}, block.shortcut, block.branch.norm1.eps
        alter()
        assert difference(ours, theirs) > TOLERANCE
        for key, module in before[0].items():
            setattr(block.branch, key, module)
        block.shortcut, block.branch.norm1.eps = before[1], before[2]
    assert difference(ours, theirs) < TOLERANCE


def test_the_last_rung_with_layer_scale_is_convnext_tiny():
    assert roadmap()[-1].architecture.replace(layer_scale=1e-6) == TIMM_MODELS["convnext_tiny"] == convnext("tiny")


def test_the_last_rung_matches_timm_s_convnext_without_layer_scale():
    theirs = randomise(timm.models.ConvNeXt(ls_init_value=None).double(), seed=2)
    ours = build(roadmap()[-1].architecture).double()
    load_timm_state(ours, theirs.state_dict())
    assert difference(ours, theirs) < TOLERANCE


def test_from_timm_reads_a_local_file(tmp_path):
    theirs = randomise(timm.create_model("convnext_atto", num_classes=7).double(), seed=2)
    file = tmp_path / "atto.pth"
    torch.save({"state_dict": theirs.float().state_dict()}, file)
    ours = from_timm("convnext_atto.d2_in1k", file=file, num_classes=7)
    assert difference(ours, theirs) < TOLERANCE


def test_from_timm_copies_the_weights_of_timm_s_model(monkeypatch):
    theirs = randomise(timm.create_model("convnext_atto", num_classes=7).double(), seed=2)
    arguments = {}
    monkeypatch.setattr(timm, "create_model", lambda name, **options: arguments.update(name=name, **options) or theirs)
    ours = from_timm("convnext_atto.d2_in1k", pretrained=True, num_classes=7)
    assert arguments == {"name": "convnext_atto.d2_in1k", "pretrained": True, "num_classes": 7, "in_chans": 3}
    expected = to_timm(ours)
    assert all(torch.equal(expected[name], tensor.float()) for name, tensor in theirs.state_dict().items())


def test_the_error_for_an_unreachable_hub_suggests_a_local_file(monkeypatch):
    def no_hub(*arguments: object, **options: object) -> nn.Module:
        raise OSError("cannot reach the hub\nsecond line")

    monkeypatch.setattr(timm, "create_model", no_hub)
    with pytest.raises(AblationError, match=r"OSError: cannot reach the hub.*local file"):
        from_timm("resnet50", pretrained=True)


def test_unknown_models_and_foreign_weights_are_refused():
    with pytest.raises(AblationError, match="did you mean 'resnet50'"):
        from_timm("resnet5")
    network = build(TIMM_MODELS["convnext_atto"])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(AblationError, match=r"do not fit.*missing"):
        load_timm_state(network, timm.create_model("resnet18").state_dict(), origin="resnet18")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    with pytest.raises(AblationError, match="no model of"):
        to_timm(build(roadmap(width_divisor=8)[5].architecture))
