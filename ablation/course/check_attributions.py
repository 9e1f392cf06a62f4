"""Checkers of notebook 09, attributions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..measure.attribution import attribute
from .checking import exercise, need, need_close, need_number

_PLAIN: dict[str, Any] = {"mean": (0.0,), "std": (1.0,)}  # images that are not normalised


def _network(channels: int, seed: int) -> nn.Module:
    """A small classifier of 5 classes with a curve in it, in float64."""
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
    accepts="the fall of the logit, (H, W), when a pixel's channels take the value, tried on three images and two values",
    hint="the fall is the logit of the whole image less that of the covered one; cover a copy, or the next pixel starts from it",
)
def occlusion_by_pixel(answer: Any) -> None:
    """Occlusion with a window of one pixel."""
    need(callable(answer), "it must be a function")
    for seed, (channels, height, width, target, value) in enumerate(
        [(1, 4, 5, 0, 0.0), (3, 5, 4, 2, 0.0), (3, 3, 3, 4, 1.0)]
    ):
        network = _network(channels, seed)
        image = torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(seed)).double()
        before = image.clone()
        with torch.no_grad():
            whole = network(image)[0, target]
            wanted = torch.zeros(height, width).double()
            for i in range(height):
                for j in range(width):
                    covered = image.clone()
                    covered[:, :, i, j] = value
                    wanted[i, j] = whole - network(covered)[0, target]
        given = answer(network, image, target, value)
        need(torch.equal(image, before), "the image is not the one that was given any more")
        need_close(given, wanted, what=f"the map of an image of {height} x {width}")


@exercise(
    accepts="relu of the sum over channels of map times mean gradient, (N, h, w), tried on three pairs of tensors",
    hint="each channel has one weight, the mean of its gradient over all positions; what speaks against the class is cut last",
)
def grad_cam_by_hand(answer: Any) -> None:
    """Grad-CAM from a map and its gradients."""
    need(callable(answer), "it must be a function")
    for n, channels, height, width in ((1, 1, 2, 3), (2, 5, 4, 4), (3, 8, 3, 5)):
        generator = torch.Generator().manual_seed(channels)
        maps, gradients = (torch.randn(n, channels, height, width, generator=generator).double() for _ in range(2))
        wanted = torch.einsum("nc,nchw->nhw", gradients.mean((2, 3)), maps).relu()
        need_close(answer(maps, gradients), wanted, what=f"the map of {n} x {channels} x {height} x {width}")


class _Saturated(nn.Module):
    """One class whose score is the sum of all pixels, and never above 1."""

    def forward(self, x: Tensor) -> Tensor:  # (N, 1, H, W) -> (N, 1)
        return x.flatten(1).sum(1, keepdim=True).clamp(max=1.0)


@exercise(
    accepts="for both methods the sum over the map, within 0.02, of what is run",
    hint="what is the gradient where the score no longer rises? And which points does the other method look at?",
)
def saturated_score(answer: Any) -> None:
    """What two methods say of a score that does not rise any more."""
    methods = {"input x gradient": "input_x_gradient", "integrated gradients": "integrated_gradients"}
    need(
        isinstance(answer, Mapping) and set(answer) == set(methods),
        f"it must be a dict with the keys {', '.join(methods)}",
    )
    image = torch.full((1, 1, 2, 2), 0.5).double()
    for title, method in methods.items():
        found = attribute(_Saturated(), image, 0, method, steps=200, **_PLAIN).sum().item()
        need_number(answer[title], found, absolute=0.02, what=f"the sum for {title}")


@exercise(
    accepts="the share in percent, within 0.01 of what is run on three random networks",
    hint="integrated gradients multiply by the image less the baseline: what is that on the ink?",
)
def black_baseline(answer: Any) -> None:
    """How much of integrated gradients lies on black ink when the baseline is black."""
    ink = torch.zeros(6, 6, dtype=torch.bool)
    ink[1:5, 2:4] = True
    image = (~ink).double()[None, None]
    for seed in range(3):
        values = attribute(_network(1, seed), image, 0, "integrated_gradients", baseline=0.0, **_PLAIN)[0].abs()
        share = 100 * (values[ink].sum() / values.sum()).item()
        need_number(answer, share, absolute=0.01, what="the share")
