"""Parity with timm: the same weights, the same logits, in both directions, with nothing at its initial value."""

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


def difference(one: nn.Module, other: nn.Module) -> float:
    """Largest difference of the logits of two networks in eval mode, relative to the largest logit."""
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        ours, theirs = one.double().eval()(x), other.double().eval()(x)
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


@pytest.mark.parametrize("name", NAMES)
def test_their_weights_in_our_network_and_ours_in_theirs(name):
    theirs = randomise(timm.create_model(name).double(), seed=2)
    ours = build(TIMM_MODELS[name]).double()
    load_timm_state(ours, theirs.state_dict())
    assert difference(ours, theirs) < TOLERANCE
    ours = randomise(build(TIMM_MODELS[name]).double(), seed=3)
    assert difference(ours, theirs) > 1e-3, "other weights, other logits"
    theirs.load_state_dict(to_timm(ours))
    assert difference(ours, theirs) < TOLERANCE


@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny"])
def test_the_parity_check_fails_when_one_block_is_altered(name):
    theirs = randomise(timm.create_model(name).double(), seed=2)
    ours = build(TIMM_MODELS[name]).double()
    load_timm_state(ours, theirs.state_dict())
    block = ours.stages[2].blocks[3]
    alterations = {
        "another activation": lambda: setattr(block.branch, "act2", nn.SiLU()),
        "no shortcut": lambda: setattr(block, "shortcut", nn.MaxPool2d(3, 1, 1)),
        "another eps": lambda: setattr(block.branch.norm1, "eps", 1e-2),
    }
    for alter in alterations.values():
        before = {key: getattr(block.branch, key) for key in ("act2", "norm1")}, block.shortcut, block.branch.norm1.eps
        alter()
        assert difference(ours, theirs) > TOLERANCE
        for key, module in before[0].items():
            setattr(block.branch, key, module)
        block.shortcut, block.branch.norm1.eps = before[1], before[2]
    assert difference(ours, theirs) < TOLERANCE


def test_the_last_rung_with_layer_scale_is_timm_s_convnext_tiny():
    assert roadmap()[-1].architecture.replace(layer_scale=1e-6) == TIMM_MODELS["convnext_tiny"] == convnext("tiny")


def test_the_last_rung_without_layer_scale_is_timm_s_without():
    theirs = randomise(timm.models.ConvNeXt(ls_init_value=None).double(), seed=2)
    ours = build(roadmap()[-1].architecture).double()
    load_timm_state(ours, theirs.state_dict())
    assert difference(ours, theirs) < TOLERANCE


def test_from_timm_takes_a_file_where_no_hub_can_be_reached(tmp_path):
    theirs = randomise(timm.create_model("convnext_atto", num_classes=7).double(), seed=2)
    file = tmp_path / "atto.pth"
    torch.save({"state_dict": theirs.float().state_dict()}, file)
    ours = from_timm("convnext_atto.d2_in1k", file=file, num_classes=7)
    assert difference(ours, theirs) < TOLERANCE


def test_from_timm_takes_the_weights_that_timm_gives(monkeypatch):
    theirs = randomise(timm.create_model("convnext_atto", num_classes=7).double(), seed=2)
    asked = {}
    monkeypatch.setattr(timm, "create_model", lambda name, **options: asked.update(name=name, **options) or theirs)
    ours = from_timm("convnext_atto.d2_in1k", pretrained=True, num_classes=7)
    assert asked == {"name": "convnext_atto.d2_in1k", "pretrained": True, "num_classes": 7, "in_chans": 3}
    expected = to_timm(ours)
    assert all(torch.equal(expected[name], tensor.float()) for name, tensor in theirs.state_dict().items())


def test_a_hub_that_cannot_be_reached_is_one_clear_message(monkeypatch):
    def no_hub(*arguments: object, **options: object) -> nn.Module:
        raise OSError("cannot reach the hub\nand so on")

    monkeypatch.setattr(timm, "create_model", no_hub)
    with pytest.raises(AblationError, match=r"OSError: cannot reach the hub.*local file"):
        from_timm("resnet50", pretrained=True)


def test_errors():
    with pytest.raises(AblationError, match="did you mean 'resnet50'"):
        from_timm("resnet5")
    network = build(TIMM_MODELS["convnext_atto"])
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with pytest.raises(AblationError, match=r"do not fit.*missing"):
        load_timm_state(network, timm.create_model("resnet18").state_dict(), origin="resnet18")
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    with pytest.raises(AblationError, match="no model of"):
        to_timm(build(roadmap(width_divisor=8)[5].architecture))
