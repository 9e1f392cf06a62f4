"""Checkers of notebook 05, micro design."""

from __future__ import annotations

from typing import Any

from .checking import exercise, need, need_close

_BATCHES = {"one image, 1x1 map": (1, 8, 1, 1), "two images, 1x1 map": (2, 8, 1, 1), "one image, 4x4 map": (1, 8, 4, 4)}
_OUTCOMES = ("error", "signs", "works")


@exercise(
    accepts="GELU's slope at any input, to 1e-9 of the largest in float64 (1e-4 in float32)",
    hint="the product rule on x times P(x), where P is the distribution function of the standard normal; its derivative is "
    "the density, and torch.erf(x / 2**0.5) is 2 P(x) - 1",
)
def gelu_slope(answer: Any) -> None:
    """A function of a tensor: the derivative of GELU, without autograd."""
    import torch

    need(callable(answer), "gelu_slope must be a function")
    for dtype in (torch.float64, torch.float32):
        for x in (
            torch.linspace(-6, 6, 101, dtype=dtype),
            0.1 * torch.randn(3, 4, 5, dtype=dtype),
            torch.zeros(1, dtype=dtype),
        ):
            wanted = x.clone().requires_grad_()
            (slope,) = torch.autograd.grad(torch.nn.functional.gelu(wanted).sum(), wanted)
            need_close(answer(x), slope, "the slope")


@exercise(
    accepts="LayerNorm over the channels of a map with scale and shift, to 1e-9 of the largest value in float64",
    hint="mean and variance are those of one image at one position, over dimension 1 alone; the variance divides by the "
    "number of channels; eps is added to the variance; scale and shift have one value a channel",
)
def layer_norm_2d(answer: Any) -> None:
    """A function (x, weight, bias, eps) of a map (N, C, H, W)."""
    import torch

    need(callable(answer), "layer_norm_2d must be a function")
    for shape, spread, eps in (((2, 8, 5, 3), 1.0, 1e-6), ((1, 16, 1, 1), 1e-2, 1e-5), ((4, 3, 2, 2), 10.0, 1e-6)):
        x = spread * torch.randn(shape, dtype=torch.float64) + 3 * spread
        weight, bias = torch.randn(2, shape[1], dtype=torch.float64)
        normed = torch.nn.functional.layer_norm(x.permute(0, 2, 3, 1), shape[1:2], weight, bias, eps).permute(
            0, 3, 1, 2
        )
        need_close(answer(x, weight, bias, eps), normed, f"the norm of a map of shape {shape}")


@exercise(
    accepts="what batch normalisation in training does with each of the three batches: 'error', 'signs' or 'works'",
    hint="how many numbers are behind the mean of a channel? With two of them, a and b, what is a less the mean, divided "
    "by the standard deviation? And with one?",
)
def tiny_batches(answer: Any) -> None:
    """A prediction for each batch; the batches are run here."""
    need(isinstance(answer, dict), f"the answer must be a dictionary, not {type(answer).__name__}")
    for name, shape in _BATCHES.items():
        need(name in answer, f"there is no prediction for {name!r}")
        need(answer[name] in _OUTCOMES, f"{answer[name]!r} for {name!r} is none of {', '.join(_OUTCOMES)}")
        need(answer[name] == _what_happens(shape), f"it went otherwise with {name!r}")


def _what_happens(shape: tuple[int, ...]) -> str:
    """Run batch normalisation in training on random numbers of that shape."""
    import torch

    try:
        out = torch.nn.BatchNorm2d(shape[1])(10 * torch.randn(shape))
    except ValueError:
        return "error"
    return "signs" if bool(((out.abs() - 1).abs() < 1e-2).all()) else "works"
