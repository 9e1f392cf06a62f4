"""What timm's users call on a model works on our registered rungs, here on one of either kind."""

import pytest
import timm
import torch
from timm.models import group_parameters
from timm.optim import param_groups_layer_decay

import ablation.network  # noqa: F401  registers the rungs
from ablation import AblationError

RUNGS = ["ablation_resnet50_stage_ratio", "ablation_resnet50_strided_downsampling"]
GROUPS = 20  # the stem, 18 blocks, and what follows them


@pytest.fixture(scope="module", params=RUNGS)
def model(request):
    torch.manual_seed(0)
    return timm.create_model(request.param, num_classes=3, drop_rate=0.5, drop_path_rate=0.1)


@pytest.fixture
def image():
    return torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def gradients(model, image):
    torch.manual_seed(1)
    model.zero_grad()
    model(image).square().sum().backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


def test_drop_rate_is_active_in_training_only(model, image):
    features = model.train().forward_features(image)
    assert not torch.equal(model.forward_head(features), model.forward_head(features))
    features = model.eval().forward_features(image)
    assert torch.equal(model.forward_head(features), model.forward_head(features))


def test_an_impossible_drop_rate_is_refused():
    with pytest.raises(AblationError, match=r"drop_rate 1\.5 must be"):
        timm.create_model(RUNGS[0], drop_rate=1.5)


def test_set_grad_checkpointing_computes_blocks_again_with_the_same_gradients(model, image):
    model.train()
    plain, calls = gradients(model, image), []
    handle = model.stages[2].blocks[0].register_forward_pre_hook(lambda *_: calls.append(1))
    model.set_grad_checkpointing()
    again = gradients(model, image)
    model.set_grad_checkpointing(False)
    assert len(calls) == 2, "forward, and once more in the backward pass"
    assert all(torch.equal(a, b) for a, b in zip(plain, again, strict=True))
    gradients(model, image)
    assert len(calls) == 3
    handle.remove()


def test_forward_intermediates(model, image):
    model.eval()
    features, maps = model.forward_intermediates(image)
    assert torch.equal(features, model.forward_features(image)) and torch.equal(maps[-1], features)
    assert [entry.shape[1] for entry in maps] == [info["num_chs"] for info in model.feature_info]
    (second,) = model.forward_intermediates(image, indices=[1], stop_early=True, intermediates_only=True)
    assert torch.equal(second, maps[1])
    with pytest.raises(AblationError, match="output_fmt 'NLC'"):
        model.forward_intermediates(image, output_fmt="NLC")


def test_group_matcher_and_weight_decay(model):
    depth = group_parameters(model, model.group_matcher(), reverse=True)
    assert set(depth.values()) == set(range(GROUPS))
    assert (depth["stem.conv.weight"], depth["head.fc.weight"]) == (0, GROUPS - 1)
    assert len(group_parameters(model, model.group_matcher(coarse=True))) == 6
    scales = {group["lr_scale"] for group in param_groups_layer_decay(model, 0.05, layer_decay=0.5)}
    assert len(scales) == GROUPS
    assert model.no_weight_decay() == set()


@pytest.mark.parametrize("name", RUNGS)
def test_features_and_classifier(name, image):
    getter = timm.create_model(name, features_only=True, feature_cls="getter", out_indices=(0, 2)).eval()
    listed = timm.create_model(name, features_only=True, out_indices=(0, 2)).eval()
    assert (
        [entry.shape[1] for entry in getter(image)] == getter.feature_info.channels() == listed.feature_info.channels()
    )
    assert [entry.shape for entry in listed(image)] == [entry.shape for entry in getter(image)]
    model = timm.create_model(name, num_classes=3).eval()
    model.reset_classifier(7)
    assert model(image).shape == (2, 7)
    assert model.prune_intermediate_layers([0, 1]) == [0, 1]
    assert model(image).shape == (2, model.num_features)
