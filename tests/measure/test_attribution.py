"""Attributions: exact where the answer is known, on the right layer everywhere, and leaving no trace."""

import copy
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
from tests.untouched import untouched

PLAIN = {"mean": (0.0,), "std": (1.0,)}
GUIDED = ("guided_backprop", "guided_grad_cam")


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()


@pytest.fixture
def images():
    return torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1)).double()


def small_relu_net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 5),
    )


def test_on_a_linear_model_every_gradient_method_is_exact(linear, images):
    w = linear[1].weight[1].detach().reshape(8, 8)
    wx = w * images[:, 0]
    assert torch.equal(attribute(linear, images, 1, "saliency", **PLAIN), w.abs().expand(4, 8, 8))
    assert torch.allclose(attribute(linear, images, 1, "smoothgrad", **PLAIN), w.expand(4, 8, 8), rtol=1e-14, atol=0)
    assert torch.equal(attribute(linear, images, 1, "input_x_gradient", **PLAIN), wx)
    integrated = attribute(linear, images, 1, "integrated_gradients", **PLAIN)
    assert torch.allclose(integrated, wx, rtol=1e-7, atol=1e-9)  # captum's step sizes are float32
    occluded = attribute(linear, images, 1, "occlusion", window=1, **PLAIN)
    assert torch.allclose(occluded, wx, rtol=1e-6, atol=1e-6)


def test_the_class_is_the_predicted_one_unless_given(linear, images):
    predicted = linear(images).argmax(1)
    given = attribute(linear, images, predicted.tolist(), "saliency")
    assert torch.equal(attribute(linear, images, None, "saliency"), given)
    assert torch.equal(attribute(linear, images, predicted, "saliency"), given)
    assert not torch.equal(attribute(linear, images, (predicted + 1) % 3, "saliency"), given)


def test_channels_are_joined_as_each_method_says():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16, 2)).double()
    x = torch.randn(2, 3, 4, 4).double()
    w = model[1].weight[0].detach().reshape(3, 4, 4)
    none = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    assert torch.equal(attribute(model, x, 0, "saliency")[0], w.abs().amax(0))
    assert torch.allclose(attribute(model, x, 0, "input_x_gradient"), (w * x).sum(1))
    covered = attribute(model, x, 0, "occlusion", window=1, **none)
    assert torch.allclose(covered, (w * x).sum(1), rtol=1e-6, atol=1e-6), (
        "a pixel's fall is counted once, not per channel"
    )


def test_the_baseline_is_given_in_pixels(linear, images):
    w = linear[1].weight[1].detach().reshape(8, 8)
    mean, std = (0.4,), (0.5,)
    for baseline in (0.0, 1.0, torch.rand(1, 8, 8).double()):
        start = (torch.as_tensor(baseline) - 0.4) / 0.5
        found = attribute(linear, images, 1, "integrated_gradients", baseline=baseline, mean=mean, std=std)
        assert torch.allclose(found, (w * (images - start))[:, 0], rtol=1e-6, atol=1e-8)


def test_smoothgrad_is_the_same_for_the_same_seed_and_leaves_the_random_state():
    model, x = small_relu_net().eval(), torch.rand(1, 3, 8, 8)
    state = torch.random.get_rng_state()
    first = attribute(model, x, 0, "smoothgrad", samples=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first, attribute(model, x, 0, "smoothgrad", samples=3))
    assert not torch.equal(first, attribute(model, x, 0, "smoothgrad", samples=3, seed=1))


def test_chunks_do_not_change_the_result(monkeypatch):
    model, x = small_relu_net().eval(), torch.rand(2, 3, 8, 8)
    calls = ("integrated_gradients", "smoothgrad", "occlusion")
    whole = [attribute(model, x, 0, method, steps=20, samples=5) for method in calls]
    monkeypatch.setattr("ablation.measure.attribution.chunk_size", lambda module, images: 3)
    for method, before in zip(calls, whole, strict=True):
        after = attribute(model, x, 0, method, steps=20, samples=5)
        if method != "smoothgrad":  # its noise is drawn chunk by chunk
            assert torch.allclose(before, after, atol=1e-6)
        assert after.shape == before.shape


RUNGS = [rung for rung in ab.roadmap(width_divisor=8) if rung.recipe == "modern"]


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_grad_cam_on_every_rung_has_the_size_of_the_last_map_and_says_something(rung):
    network = randomise(ab.build(rung.architecture, num_classes=5))
    found = grad_cam(network, torch.randn(2, 3, 96, 96), 1, relu=False)
    assert found.shape == (2, 3, 3) and found.abs().sum((1, 2)).min() > 0


MODELS = {"resnet50": 7, "convnext_tiny": 7, "swin_tiny_patch4_window7_224": 7, "vit_tiny_patch16_224": 14}


@pytest.mark.parametrize("name", MODELS)
def test_grad_cam_finds_the_right_layer_of_timm_models(name):
    torch.manual_seed(0)
    network = open_branches(timm.create_model(name))
    x = torch.randn(1, 3, 224, 224)
    found = grad_cam(network, x, 5, relu=False)
    assert found.shape == (1, MODELS[name], MODELS[name]) and found.abs().max() > 0
    large = attribute(network, x, 5, "grad_cam")
    assert large.shape == (1, 224, 224) and large.min() >= 0


@pytest.mark.parametrize("name", ["resnet18", "swin_tiny_patch4_window7_224"])
def test_grad_cam_equals_doing_it_by_hand(name):
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


def test_a_layer_on_which_no_class_depends_is_an_error():
    network = timm.create_model("vit_tiny_patch16_224", depth=2)
    with pytest.raises(AblationError, match="does not depend on the map of layer 'norm'"):
        grad_cam(network, torch.randn(1, 3, 224, 224), 0, layer="norm")


def test_a_zero_baseline_in_front_of_layer_norm_is_warned_about_and_black_is_not():
    network = ab.build(ab.convnext("atto"), num_classes=3)
    x = torch.randn(1, 3, 32, 32)
    with pytest.warns(AttributionWarning, match="layer normalisation"):
        attribute(network, x, 0, steps=2, mean=(0.0,) * 3, std=(1.0,) * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attribute(network, x, 0, steps=2)  # black, by ImageNet's mean
        attribute(ab.build(ab.RESNET50.replace(width=8), num_classes=3), x, 0, steps=2, mean=(0.0,) * 3, std=(1.0,) * 3)


def test_guided_methods_come_with_their_caveat_and_need_a_relu():
    x = torch.rand(1, 3, 8, 8)
    for method in GUIDED:
        with pytest.warns(AttributionWarning, match=r"hardly depend on the weights"):
            found = attribute(small_relu_net(), x, 0, method)
        assert found.shape == (1, 8, 8)
        with pytest.raises(AblationError, match="changes the gradient at ReLUs, and ConvNet has none"):
            attribute(ab.build(ab.convnext("atto"), num_classes=3), torch.rand(1, 3, 32, 32), 0, method)
    assert METHODS["guided_backprop"].caveat


def test_guided_backprop_cuts_negative_gradients_where_writing_in_place_would_hide_them():
    model, x = small_relu_net().eval(), torch.rand(1, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AttributionWarning)
        guided = attribute(model, x, 0, "guided_backprop")
    plain = attribute(model, x, 0, "input_x_gradient")
    assert guided.isfinite().all() and not torch.allclose(guided, plain)
    assert [part.inplace for part in model if isinstance(part, nn.ReLU)] == [True, True]


class Tuple(nn.Module):
    def forward(self, x):
        return x.flatten(1), x


class Dict(nn.Module):
    def forward(self, x):
        return {"logits": x.flatten(1)}


def poisoned(value):
    model = small_relu_net()
    with torch.no_grad():
        model[3].weight[0, 0, 0, 0] = value
    return model


BAD = {
    "unknown method": (small_relu_net, {"method": "integrated_gradient"}, "did you mean 'integrated_gradients'"),
    "class too high": (small_relu_net, {"target": 5}, "target 5 is no class of Sequential: it has 5, 0 to 4"),
    "class below zero": (small_relu_net, {"target": -1}, "target -1 is no class"),
    "as many classes as images": (small_relu_net, {"target": [0, 1, 2]}, "3 targets were given for 2 images"),
    "class is no whole number": (small_relu_net, {"target": 1.5}, "must be one whole number"),
    "no steps": (small_relu_net, {"steps": 0}, "steps 0 must be 1 or more"),
    "unknown layer": (small_relu_net, {"method": "grad_cam", "layer": "2O"}, "unknown layer '2O'"),
    "large window": (
        small_relu_net,
        {"method": "occlusion", "window": 9},
        "window 9 is larger than the image of 8 x 8",
    ),
    "odd baseline": (small_relu_net, {"baseline": torch.zeros(7)}, "does not fit images"),
    "weights of NaN": (lambda: poisoned(float("nan")), {}, "the weights are not finite: 3.weight"),
    "infinite weights": (lambda: poisoned(float("inf")), {}, "the weights are not finite: 3.weight"),
    "a tuple": (Tuple, {}, "puts out a tuple of 2; a classifier's logits"),
    "a dictionary": (Dict, {}, "puts out a dict with the keys logits"),
    "a map": (nn.Identity, {}, r"puts out \(1, 3, 8, 8\); a classifier's logits"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_error(case):
    make, options, message = BAD[case]
    with pytest.raises(AblationError, match=message):
        attribute(make(), torch.rand(2, 3, 8, 8), **{"target": 0, **options})


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 8, 8), r"not \(3, 8, 8\)"),
        (torch.rand(0, 3, 8, 8), "N of 1 or more"),
        (torch.full((1, 3, 8, 8), float("nan")), "the images are not finite"),
        ([1, 2], "not list"),
        (torch.rand(1, 4, 8, 8), "could not be run on images of 4 x 8 x 8"),
    ],
)
def test_images_that_are_none_are_told(images, message):
    with pytest.raises(AblationError, match=message):
        attribute(small_relu_net(), images, 0, "saliency")


def test_nobody_can_know_how_single_channel_images_are_normalised():
    with pytest.raises(AblationError, match="give mean and std"):
        attribute(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.rand(1, 1, 4, 4), 0)


def test_inference_mode_is_refused_with_the_remedy():
    with torch.inference_mode(), pytest.raises(AblationError, match=r"call it outside, or use torch\.no_grad"):
        attribute(small_relu_net(), torch.rand(1, 3, 8, 8), 0)


class Fails(nn.Module):
    """Runs a number of times, then no more."""

    def __init__(self, calls):
        super().__init__()
        self.left = calls

    def forward(self, x):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("no more")
        return x


def state(module):
    tables = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return (
        [(part.training, getattr(part, "inplace", None)) for part in module.modules()],
        [[*getattr(part, table)] for part in module.modules() for table in tables],
        [(p.requires_grad, p.grad is None, p.detach().clone()) for p in module.parameters()],
        [buffer.clone() for buffer in module.buffers()],
    )


def same(before, after):
    assert before[0] == after[0], "modes and flags"
    assert before[1] == after[1], "hooks"
    for (flag, no_grad, value), (flag_after, no_grad_after, value_after) in zip(before[2], after[2], strict=True):
        assert (flag, no_grad) == (flag_after, no_grad_after) and torch.equal(value, value_after)
    assert all(torch.equal(a, b) for a, b in zip(before[3], after[3], strict=True)), "buffers"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("calls", [10**6, 0, 1, 2, 3])
def test_nothing_of_the_module_changes_also_when_the_call_raises(method, calls):
    model = small_relu_net()
    model.insert(4, Fails(calls))
    model[3].eval()
    model[0].weight.requires_grad_(False)
    model[7].register_forward_hook(lambda part, inputs, output: None)
    before, original = state(model), copy.deepcopy(model)
    x = torch.rand(2, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AttributionWarning)
        try:
            attribute(model, x, None, method, steps=4, samples=2)
        except AblationError as error:
            assert calls < 10**6 and "no more" in str(error)
        except RuntimeError as error:  # captum's own calls go past our door
            assert calls < 10**6 and "no more" in str(error)
    same(before, state(model))
    assert not x.requires_grad and x.grad is None
    assert torch.equal(original[0].weight, model[0].weight)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("calls", [10**6, 2])
@pytest.mark.filterwarnings("ignore:guided gradients")
def test_not_one_attribute_of_any_part_is_other_than_before(method, calls):
    calls = iter(range(calls))

    class Counts(nn.Module):
        def forward(self, x):
            if next(calls, None) is None:
                raise RuntimeError("no more")
            return x

    model = small_relu_net().insert(4, Counts())
    model[1].eval()
    model[0].bias.requires_grad_(False)
    model[3].weight.grad = torch.ones_like(model[3].weight)
    model[0].register_full_backward_hook(lambda part, given, taken: None)
    images, random = torch.rand(3, 3, 8, 8), torch.get_rng_state()
    kept = images.clone()
    with untouched(model), torch.no_grad():
        try:
            assert attribute(model, images, 1, method, steps=4, samples=2).shape == (3, 8, 8)
        except (AblationError, RuntimeError) as error:
            assert "no more" in str(error) and next(calls, None) is None
    assert torch.equal(images, kept) and torch.equal(torch.get_rng_state(), random)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore:guided gradients")
def test_images_are_left_alone_by_a_network_that_begins_in_place(method):
    images = torch.randn(2, 3, 8, 8)
    kept, options = images.clone(), {"steps": 4, "samples": 2}
    plain = nn.Sequential(nn.ReLU(), *small_relu_net())
    expected = attribute(plain, images, 1, method, **options)
    found = attribute(nn.Sequential(nn.ReLU(inplace=True), *plain[1:]), images, 1, method, **options)
    assert torch.equal(images, kept)
    torch.testing.assert_close(found, expected)


def test_grad_cam_of_tokens_equals_doing_it_by_hand():
    vit = randomise(timm.create_model("vit_tiny_patch16_224", img_size=(48, 64), depth=2, num_classes=5)).eval()
    x, kept = torch.randn(1, 3, 48, 64), []
    handle = vit.blocks[1].norm1.register_forward_hook(lambda part, inputs, output: kept.append(output))
    logit = vit(x)[0, 3]
    handle.remove()
    (gradient,) = torch.autograd.grad(logit, kept[0])
    tokens, gradient = kept[0][:, 1:], gradient[:, 1:]  # without the class token
    by_hand = (gradient.mean(1, keepdim=True) * tokens).sum(2).reshape(1, 3, 4)
    torch.testing.assert_close(grad_cam(vit, x, 3, relu=False), by_hand.detach(), rtol=1e-4, atol=1e-6)
    assert attribute(vit, x, 3, "grad_cam").shape == (1, 48, 64)


class Guided(torch.autograd.Function):
    """A rectifier that lets back only what is positive."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.relu()

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient.relu() * (x > 0)


class Rectified(nn.Module):
    """Two convolutions, each with a ReLU: a module for each, or one for both as in torchvision's blocks."""

    def __init__(self, shared):
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.act1 = nn.ReLU(inplace=True)
        self.act2 = self.act1 if shared else nn.ReLU(inplace=True)
        self.head = nn.Linear(4, 5)

    def forward(self, x, guided=False):
        act1, act2 = (Guided.apply, Guided.apply) if guided else (self.act1, self.act2)
        return self.head(act2(self.second(act1(self.first(x)))).mean((2, 3)))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.filterwarnings("ignore:guided gradients")
def test_guided_backprop_equals_doing_it_by_hand(shared):
    torch.manual_seed(0)
    model, x = Rectified(shared), torch.randn(2, 3, 8, 8)
    wanted = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(wanted, guided=True)[:, 2].sum(), wanted)
    torch.testing.assert_close(attribute(model, x, 2, "guided_backprop"), gradient.sum(1))


@pytest.mark.parametrize("method", GUIDED)
def test_guided_methods_work_where_timm_writes_in_place(method):
    network = open_branches(timm.create_model("resnet18", num_classes=5))
    with untouched(network), pytest.warns(AttributionWarning, match="weight_randomisation"):
        found = attribute(network, torch.randn(1, 3, 64, 64), 1, method)
    assert found.shape == (1, 64, 64) and found.isfinite().all() and found.any()


def test_progress_is_told_image_by_image(linear, images):
    seen = []
    attribute(linear, images, 1, "saliency", progress=lambda *done: seen.append(done))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("target", ["cat", [1, None], [[1], [2, 3]]], ids=["text", "none", "ragged"])
def test_a_target_that_is_no_number_is_told(linear, images, target):
    with pytest.raises(AblationError, match="target must be one whole number, or one for each image"):
        attribute(linear, images, target, "saliency")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "smoothgrad", "noise": -0.1}, "noise"),
        ({"baseline": float("nan")}, "baseline"),
        ({"mean": (0.0,), "std": (0.0,)}, "std"),
    ],
    ids=["noise", "baseline", "std"],
)
def test_numbers_that_make_no_sense_are_told(linear, images, options, message):
    with pytest.raises(AblationError, match=message):
        attribute(linear, images, 1, **{**PLAIN, **options})


class Subtracts(nn.Module):
    """Takes a mean away itself, as some networks do, and writes over its input if asked to."""

    def __init__(self, in_place):
        super().__init__()
        self.in_place, self.rest = in_place, small_relu_net()

    def forward(self, x):
        return self.rest(x.sub_(0.5) if self.in_place else x - 0.5)


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "grad_cam", "occlusion"])
def test_a_network_that_writes_over_its_input_is_attributed_all_the_same(method):
    images = torch.randn(2, 3, 8, 8)
    kept = images.clone()
    expected = attribute(Subtracts(in_place=False), images, 1, method, steps=4)
    found = attribute(Subtracts(in_place=True), images, 1, method, steps=4)
    assert torch.equal(images, kept)
    torch.testing.assert_close(found, expected)
