"""Error messages of attribution for invalid arguments, images and networks."""

import pytest
import torch
from torch import nn

from ablation.errors import AblationError
from ablation.measure.attribution import attribute
from tests.measure.networks import small_relu_net

PLAIN = {"mean": (0.0,), "std": (1.0,)}


class Tuple(nn.Module):
    def forward(self, x):
        return x.flatten(1), x


class Dict(nn.Module):
    def forward(self, x):
        return {"logits": x.flatten(1)}


def network_with_weight(value):
    model = small_relu_net()
    with torch.no_grad():
        model[3].weight[0, 0, 0, 0] = value
    return model


BAD = {
    "unknown method": (small_relu_net, {"method": "integrated_gradient"}, "did you mean 'integrated_gradients'"),
    "class too high": (
        small_relu_net,
        {"target": 5},
        "target 5 is not a class of Sequential, which has 5 classes, 0 to 4",
    ),
    "negative class": (small_relu_net, {"target": -1}, "target -1 is not a class"),
    "wrong number of classes": (small_relu_net, {"target": [0, 1, 2]}, "3 targets were given for 2 images"),
    "class is not an integer": (small_relu_net, {"target": 1.5}, "must be one whole number"),
    "no steps": (small_relu_net, {"steps": 0}, "steps 0 must be 1 or more"),
    "unknown layer": (small_relu_net, {"method": "grad_cam", "layer": "2O"}, "unknown layer '2O'"),
    "large window": (
        small_relu_net,
        {"method": "occlusion", "window": 9},
        "window 9 is larger than the image of 8 x 8",
    ),
    "baseline of wrong shape": (small_relu_net, {"baseline": torch.zeros(7)}, "does not fit images"),
    "NaN weights": (lambda: network_with_weight(float("nan")), {}, "the weights are not finite: 3.weight"),
    "infinite weights": (lambda: network_with_weight(float("inf")), {}, "the weights are not finite: 3.weight"),
    "tuple output": (Tuple, {}, "outputs a tuple of 2; a classifier's logits"),
    "dict output": (Dict, {}, "outputs a dict with the keys logits"),
    "map output": (nn.Identity, {}, r"outputs \(1, 3, 8, 8\); a classifier's logits"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_refused(case):
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
def test_invalid_images_are_refused(images, message):
    with pytest.raises(AblationError, match=message):
        attribute(small_relu_net(), images, 0, "saliency")


def test_single_channel_images_require_mean_and_std():
    with pytest.raises(AblationError, match="give mean and std"):
        attribute(nn.Sequential(nn.Flatten(), nn.Linear(16, 2)), torch.rand(1, 1, 4, 4), 0)


def test_inference_mode_is_refused_with_a_remedy():
    with torch.inference_mode(), pytest.raises(AblationError, match=r"call it outside, or use torch\.no_grad"):
        attribute(small_relu_net(), torch.rand(1, 3, 8, 8), 0)


@pytest.mark.parametrize("target", ["cat", [1, None], [[1], [2, 3]]], ids=["text", "none", "ragged"])
def test_non_integer_target_is_refused(linear, images, target):
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
def test_invalid_numbers_are_refused(linear, images, options, message):
    with pytest.raises(AblationError, match=message):
        attribute(linear, images, 1, **{**PLAIN, **options})
