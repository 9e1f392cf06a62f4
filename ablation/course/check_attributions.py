"""Checkers of notebook 09, attributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..measure.attribution import attribute
from .checking import exercise, require, require_close, require_number

_PLAIN: dict[str, Any] = {"mean": (0.0,), "std": (1.0,)}  # images that are not normalised


def _network(channels: int, seed: int) -> nn.Module:
    """Build a small nonlinear classifier with 5 classes, in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        parts = (
            nn.Conv2d(channels, 4, 3, padding=1),
            nn.GELU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 5),
        )
        return nn.Sequential(*parts).double().eval()


@exercise(
    accepts="the drop of the logit, (H, W), with all channels of a pixel set to the value, for three images and two values",
    hints=(
        "the drop is the logit of the original image minus that of the covered one",
        "cover a fresh copy of the image for each pixel, in all channels, and run the network under torch.no_grad()",
    ),
)
def occlusion_by_pixel(answer: Any) -> None:
    """Check a function that computes occlusion with a window of one pixel."""
    require(callable(answer), "it must be a function")
    for seed, (channels, height, width, target, value) in enumerate(
        [(1, 4, 5, 0, 0.0), (3, 5, 4, 2, 0.0), (3, 3, 3, 4, 1.0)]
    ):
        network = _network(channels, seed)
        image = torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(seed)).double()
        before = image.clone()
        with torch.no_grad():
            original = network(image)[0, target]
            expected = torch.zeros(height, width).double()
            for i in range(height):
                for j in range(width):
                    covered = image.clone()
                    covered[:, :, i, j] = value
                    expected[i, j] = original - network(covered)[0, target]
        given = answer(network, image, target, value)
        require(torch.equal(image, before), "the function changed the image that it was given")
        require_close(given, expected, what=f"the map of an image of {height} x {width} px")


@exercise(
    accepts="relu of the sum over channels of map times mean gradient, (N, h, w), for three pairs of tensors",
    hints=(
        "each channel has one weight, the mean of its gradient over all positions",
        "multiply each map by its weight and sum over the channels; the relu comes last, after the sum",
    ),
)
def grad_cam_by_hand(answer: Any) -> None:
    """Check a function that computes Grad-CAM from a map and its gradients."""
    require(callable(answer), "it must be a function")
    for n, channels, height, width in ((1, 1, 2, 3), (2, 5, 4, 4), (3, 8, 3, 5)):
        generator = torch.Generator().manual_seed(channels)
        maps, gradients = (torch.randn(n, channels, height, width, generator=generator).double() for _ in range(2))
        expected = torch.einsum("nc,nchw->nhw", gradients.mean((2, 3)), maps).relu()
        require_close(answer(maps, gradients), expected, what=f"the map of {n} x {channels} x {height} x {width}")


class _Saturated(nn.Module):
    """A network with one class, whose score is the sum of all pixels, clipped at 1."""

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, H, W) -> (N, 1)
        return x.flatten(1).sum(1, keepdim=True).clamp(max=1.0)


@exercise(
    accepts="the sum over the map of each method, within 0.02 of the computed sum",
    hints=(
        "what is the gradient of the score where it is saturated?",
        "integrated gradients evaluate the gradient along the whole path from the baseline, and their sum is the "
        "difference of two scores",
    ),
)
def saturated_score(answer: Any) -> None:
    """Check the predicted sums of the maps of two methods for a saturated score."""
    methods = {"input x gradient": "input_x_gradient", "integrated gradients": "integrated_gradients"}
    require(
        isinstance(answer, Mapping) and set(answer) == set(methods),
        f"it must be a dict with the keys {', '.join(methods)}",
    )
    image = torch.full((1, 1, 2, 2), 0.5).double()
    for title, method in methods.items():
        total = attribute(_Saturated(), image, 0, method, steps=200, **_PLAIN).sum().item()
        require_number(answer[title], total, absolute=0.02, what=f"the sum for {title}")


@exercise(
    accepts="the share in percent, within 0.01 of the share computed for three random networks",
    hints=(
        "integrated gradients multiply a mean gradient by another factor at each pixel",
        "the factor is the image minus the baseline: what is it on the ink?",
    ),
)
def black_baseline(answer: Any) -> None:
    """Check the predicted share of integrated gradients on black ink with a black baseline."""
    ink = torch.zeros(6, 6, dtype=torch.bool)
    ink[1:5, 2:4] = True
    image = (~ink).double()[None, None]
    for seed in range(3):
        values = attribute(_network(1, seed), image, 0, "integrated_gradients", baseline=0.0, **_PLAIN)[0].abs()
        share = 100 * (values[ink].sum() / values.sum()).item()
        require_number(answer, share, absolute=0.01, what="the share")
