"""Checkers of notebook 05, micro design."""

from __future__ import annotations

from typing import Any

from .checking import exercise, require, require_close

_BATCHES = {"one image, 1x1 map": (1, 8, 1, 1), "two images, 1x1 map": (2, 8, 1, 1), "one image, 4x4 map": (1, 8, 4, 4)}
_OUTCOMES = ("error", "signs", "works")


@exercise(
    accepts="the slope of GELU at any input, to 1e-9 of the largest slope in float64 (1e-4 in float32)",
    hints=(
        "apply the product rule to x times P(x), where P is the distribution function of the standard normal",
        "the derivative of P is the density exp(-x**2 / 2) / sqrt(2 pi), and torch.erf(x / 2**0.5) is 2 P(x) - 1",
    ),
)
def gelu_slope(answer: Any) -> None:
    """Check a function of a tensor that computes the derivative of GELU without autograd."""
    import torch

    require(callable(answer), "gelu_slope must be a function")
    for dtype in (torch.float64, torch.float32):
        for x in (
            torch.linspace(-6, 6, 101, dtype=dtype),
            0.1 * torch.randn(3, 4, 5, dtype=dtype),
            torch.zeros(1, dtype=dtype),
        ):
            x_grad = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(torch.nn.functional.gelu(x_grad).sum(), x_grad)
            require_close(answer(x), slope, "the slope")


@exercise(
    accepts="LayerNorm over the channels of a map with scale and shift, to 1e-9 of the largest value in float64",
    hints=(
        "mean and variance are computed per image and position, over dimension 1 only",
        "the variance divides by the number of channels; eps is added to the variance; scale and shift have one value "
        "per channel, so they need two more axes",
    ),
)
def layer_norm_2d(answer: Any) -> None:
    """Check a function (x, weight, bias, eps) that applies LayerNorm to a map (N, C, H, W)."""
    import torch

    require(callable(answer), "layer_norm_2d must be a function")
    for shape, spread, eps in (((2, 8, 5, 3), 1.0, 1e-6), ((1, 16, 1, 1), 1e-2, 1e-5), ((4, 3, 2, 2), 10.0, 1e-6)):
        x = spread * torch.randn(shape, dtype=torch.float64) + 3 * spread
        weight, bias = torch.randn(2, shape[1], dtype=torch.float64)
        normed = torch.nn.functional.layer_norm(x.permute(0, 2, 3, 1), shape[1:2], weight, bias, eps).permute(
            0, 3, 1, 2
        )
        require_close(answer(x, weight, bias, eps), normed, f"the output for a map of shape {shape}")


@exercise(
    accepts="the outcome of batch normalisation in training for each of the three batches: 'error', 'signs' or 'works'",
    hints=(
        "how many numbers is the mean of a channel computed from in each case?",
        "with two numbers a and b, what is a minus the mean, divided by the standard deviation? And with one number?",
    ),
)
def tiny_batches(answer: Any) -> None:
    """Check the prediction for each batch by running it."""
    require(isinstance(answer, dict), f"the answer must be a dictionary, not {type(answer).__name__}")
    for name, shape in _BATCHES.items():
        require(name in answer, f"there is no prediction for {name!r}")
        require(answer[name] in _OUTCOMES, f"{answer[name]!r} for {name!r} is not one of {', '.join(_OUTCOMES)}")
        require(answer[name] == _outcome(shape), f"the prediction for {name!r} is wrong")


def _outcome(shape: tuple[int, ...]) -> str:
    """Run batch normalisation in training mode on random numbers of that shape and classify the result."""
    import torch

    try:
        out = torch.nn.BatchNorm2d(shape[1])(10 * torch.randn(shape))
    except ValueError:
        return "error"
    return "signs" if bool(((out.abs() - 1).abs() < 1e-2).all()) else "works"
