"""Attributions: exact on known cases, on the right layer, and with a warning where they must not be trusted."""

import warnings

import pytest
import timm
import torch
from torch import nn

import ablation as ab
from ablation.errors import AblationError
from ablation.measure.attribution import AttributionWarning, attribute, grad_cam
from ablation.measure.methods import METHODS
from ablation.measure.receptive_field import open_branches
from tests.laws import randomise
from tests.measure.networks import small_relu_net
from tests.untouched import untouched

PLAIN = {"mean": (0.0,), "std": (1.0,)}
GUIDED = ("guided_backprop", "guided_grad_cam")


def test_every_gradient_method_is_exact_on_a_linear_model(linear, images):
    w = linear[1].weight[1].detach().reshape(8, 8)
    wx = w * images[:, 0]
    assert torch.equal(attribute(linear, images, 1, "saliency", **PLAIN), w.abs().expand(4, 8, 8))
    assert torch.allclose(attribute(linear, images, 1, "smoothgrad", **PLAIN), w.expand(4, 8, 8), rtol=1e-14, atol=0)
    assert torch.equal(attribute(linear, images, 1, "input_x_gradient", **PLAIN), wx)
    integrated = attribute(linear, images, 1, "integrated_gradients", **PLAIN)
    assert torch.allclose(integrated, wx, rtol=1e-7, atol=1e-9)  # captum's step sizes are float32
    occluded = attribute(linear, images, 1, "occlusion", window=1, **PLAIN)
    assert torch.allclose(occluded, wx, rtol=1e-6, atol=1e-6)


def test_default_target_is_the_predicted_class(linear, images):
    predicted = linear(images).argmax(1)
    given = attribute(linear, images, predicted.tolist(), "saliency")
    assert torch.equal(attribute(linear, images, None, "saliency"), given)
    assert torch.equal(attribute(linear, images, predicted, "saliency"), given)
    assert not torch.equal(attribute(linear, images, (predicted + 1) % 3, "saliency"), given)


def test_channels_are_reduced_as_documented():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 2)).double()
    x = torch.randn(2, 3, 4, 4).double()
    w = model[1].weight[0].detach().reshape(3, 4, 4)
    identity = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    assert torch.equal(attribute(model, x, 0, "saliency")[0], w.abs().amax(0))
    assert torch.allclose(attribute(model, x, 0, "input_x_gradient"), (w * x).sum(1))
    occluded = attribute(model, x, 0, "occlusion", window=1, **identity)
    assert torch.allclose(occluded, (w * x).sum(1), rtol=1e-6, atol=1e-6), (
        "the drop is counted once per pixel, not per channel"
    )


def test_the_baseline_is_given_in_pixels(linear, images):
    w = linear[1].weight[1].detach().reshape(8, 8)
    mean, std = (0.4,), (0.5,)
    for baseline in (0.0, 1.0, torch.rand(1, 8, 8).double()):
        start = (torch.as_tensor(baseline) - 0.4) / 0.5
        found = attribute(linear, images, 1, "integrated_gradients", baseline=baseline, mean=mean, std=std)
        assert torch.allclose(found, (w * (images - start))[:, 0], rtol=1e-6, atol=1e-8)


def test_smoothgrad_depends_only_on_the_seed_and_preserves_the_random_state():
    model, x = small_relu_net().eval(), torch.rand(1, 3, 8, 8)
    state = torch.random.get_rng_state()
    first = attribute(model, x, 0, "smoothgrad", samples=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first, attribute(model, x, 0, "smoothgrad", samples=3))
    assert not torch.equal(first, attribute(model, x, 0, "smoothgrad", samples=3, seed=1))


def test_chunks_do_not_change_the_result(monkeypatch):
    model, x = small_relu_net().eval(), torch.rand(2, 3, 8, 8)
    methods = ("integrated_gradients", "smoothgrad", "occlusion")
    unchunked = [attribute(model, x, 0, method, steps=20, samples=5) for method in methods]
    monkeypatch.setattr("ablation.measure.attribution.chunk_size", lambda module, images: 3)
    for method, before in zip(methods, unchunked, strict=True):
        after = attribute(model, x, 0, method, steps=20, samples=5)
        if method != "smoothgrad":  # its noise is drawn chunk by chunk
            assert torch.allclose(before, after, atol=1e-6)
        assert after.shape == before.shape


RUNGS = [rung for rung in ab.roadmap(width_divisor=8) if rung.recipe == "modern"]


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_grad_cam_on_every_rung_has_the_size_of_the_last_map_and_is_not_zero(rung):
    network = randomise(ab.build(rung.architecture, num_classes=5))
    found = grad_cam(network, torch.randn(2, 3, 96, 96), 1, relu=False)
    assert found.shape == (2, 3, 3) and found.abs().sum((1, 2)).min() > 0


MODELS = {"resnet50": 7, "convnext_tiny": 7, "swin_tiny_patch4_window7_224": 7, "vit_tiny_patch16_224": 14}


@pytest.mark.parametrize("name", MODELS)
def test_grad_cam_selects_the_right_layer_of_timm_models(name):
    torch.manual_seed(0)
    network = open_branches(timm.create_model(name))
    x = torch.randn(1, 3, 224, 224)
    found = grad_cam(network, x, 5, relu=False)
    assert found.shape == (1, MODELS[name], MODELS[name]) and found.abs().max() > 0
    upsampled = attribute(network, x, 5, "grad_cam")
    assert upsampled.shape == (1, 224, 224) and upsampled.min() >= 0


@pytest.mark.parametrize("name", ["resnet18", "swin_tiny_patch4_window7_224"])
def test_grad_cam_matches_a_manual_computation(name):
    torch.manual_seed(0)
    network = open_branches(timm.create_model(name)).eval()
    x = torch.randn(1, 3, 224, 224)
    features = network.forward_features(x).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network.forward_head(features)[0, 7], features)
    if name.startswith("swin"):
        features, gradient = features.permute(0, 3, 1, 2), gradient.permute(0, 3, 1, 2)
    by_hand = (gradient.mean((2, 3), keepdim=True) * features).sum(1)
    found = grad_cam(network, x, 7, relu=False)
    assert torch.allclose(found, by_hand.detach(), rtol=1e-4, atol=1e-6 * by_hand.abs().max().item())
    assert torch.equal(grad_cam(network, x, 7), found.relu())


def test_a_layer_that_no_logit_depends_on_is_refused():
    network = timm.create_model("vit_tiny_patch16_224", depth=2)
    with pytest.raises(AblationError, match="does not depend on the map of layer 'norm'"):
        grad_cam(network, torch.randn(1, 3, 224, 224), 0, layer="norm")


def test_zero_baseline_with_layer_norm_warns_and_black_baseline_does_not():
    network = ab.build(ab.convnext("atto"), num_classes=3)
    x = torch.randn(1, 3, 32, 32)
    with pytest.warns(AttributionWarning, match="layer normalisation"):
        attribute(network, x, 0, steps=2, mean=(0.0,) * 3, std=(1.0,) * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attribute(network, x, 0, steps=2)  # black, with ImageNet's mean
        attribute(ab.build(ab.RESNET50.replace(width=8), num_classes=3), x, 0, steps=2, mean=(0.0,) * 3, std=(1.0,) * 3)


def test_guided_methods_warn_and_require_a_relu():
    x = torch.rand(1, 3, 8, 8)
    for method in GUIDED:
        with pytest.warns(AttributionWarning, match=r"hardly depend on the weights"):
            found = attribute(small_relu_net(), x, 0, method)
        assert found.shape == (1, 8, 8)
        with pytest.raises(AblationError, match="changes the gradient at ReLUs, and ConvNet has none"):
            attribute(ab.build(ab.convnext("atto"), num_classes=3), torch.rand(1, 3, 32, 32), 0, method)
    assert METHODS["guided_backprop"].caveat


def test_guided_backprop_works_on_in_place_relus():
    model, x = small_relu_net().eval(), torch.rand(1, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AttributionWarning)
        guided = attribute(model, x, 0, "guided_backprop")
    plain = attribute(model, x, 0, "input_x_gradient")
    assert guided.isfinite().all() and not torch.allclose(guided, plain)
    assert [part.inplace for part in model if isinstance(part, nn.ReLU)] == [True, True]


def test_grad_cam_of_tokens_matches_a_manual_computation():
    vit = randomise(timm.create_model("vit_tiny_patch16_224", img_size=(48, 64), depth=2, num_classes=5)).eval()
    x, outputs = torch.randn(1, 3, 48, 64), []
    handle = vit.blocks[1].norm1.register_forward_hook(lambda part, inputs, output: outputs.append(output))
    logit = vit(x)[0, 3]
    handle.remove()
    (gradient,) = torch.autograd.grad(logit, outputs[0])
    tokens, gradient = outputs[0][:, 1:], gradient[:, 1:]  # without the class token
    by_hand = (gradient.mean(1, keepdim=True) * tokens).sum(2).reshape(1, 3, 4)
    torch.testing.assert_close(grad_cam(vit, x, 3, relu=False), by_hand.detach(), rtol=1e-4, atol=1e-6)
    assert attribute(vit, x, 3, "grad_cam").shape == (1, 48, 64)


class GuidedReLU(torch.autograd.Function):
    """A ReLU whose backward pass keeps only positive gradients."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient.relu() * (x > 0)


class TwoConvs(nn.Module):
    """Two convolutions, each followed by a ReLU: separate modules, or one shared module as in torchvision's blocks."""

    def __init__(self, shared):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.act1 = nn.ReLU(inplace=True)
        self.act2 = self.act1 if shared else nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 5)

    def forward(self, x, guided=False):
        act1, act2 = (GuidedReLU.apply, GuidedReLU.apply) if guided else (self.act1, self.act2)
        return self.head(act2(self.second(act1(self.first(x)))).mean((2, 3)))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.filterwarnings("ignore:guided gradients")
def test_guided_backprop_matches_a_manual_computation(shared):
    torch.manual_seed(0)
    model, x = TwoConvs(shared), torch.randn(2, 3, 8, 8)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf, guided=True)[:, 2].sum(), leaf)
    torch.testing.assert_close(attribute(model, x, 2, "guided_backprop"), gradient.sum(1))


@pytest.mark.parametrize("method", GUIDED)
def test_guided_methods_work_with_timm_in_place_activations(method):
    network = open_branches(timm.create_model("resnet18", num_classes=5))
    with untouched(network), pytest.warns(AttributionWarning, match="weight_randomisation"):
        found = attribute(network, torch.randn(1, 3, 64, 64), 1, method)
    assert found.shape == (1, 64, 64) and found.isfinite().all() and found.any()


def test_progress_is_called_after_each_image(linear, images):
    calls = []
    attribute(linear, images, 1, "saliency", progress=lambda *done: calls.append(done))
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
