"""What cannot be attributed is one clear error."""

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
