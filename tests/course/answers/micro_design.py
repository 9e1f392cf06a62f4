"""Answers to the exercises of notebook 05."""

import torch


def gelu_slope(x):
    density = torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5
    return 0.5 * (1 + torch.erf(x / 2**0.5)) + x * density


def without_product_rule(x):
    return 0.5 * (1 + torch.erf(x / 2**0.5))


def without_square_root(x):
    return 0.5 * (1 + torch.erf(x)) + x * torch.exp(-(x**2) / 2) / (2 * torch.pi) ** 0.5


def of_the_tanh_approximation(x):
    with torch.enable_grad():
        x = x.clone().requires_grad_()
        return torch.autograd.grad(torch.nn.functional.gelu(x, approximate="tanh").sum(), x)[0]


def normed_over(dims, correction=0, eps_outside=False):
    def norm(x, weight, bias, eps):
        var = x.var(dims, keepdim=True, correction=correction)
        spread = var.sqrt() + eps if eps_outside else (var + eps).sqrt()
        return (x - x.mean(dims, keepdim=True)) / spread * weight[:, None, None] + bias[:, None, None]

    return norm


def without_scale_and_shift(x, weight, bias, eps):
    return (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True, correction=0) + eps).sqrt()


def scale_on_the_last_axis(x, weight, bias, eps):
    return without_scale_and_shift(x, weight, bias, eps) * weight + bias


ONE, TWO, MAP = "one image, 1x1 map", "two images, 1x1 map", "one image, 4x4 map"

RIGHT = {
    "gelu_slope": gelu_slope,
    "layer_norm_2d": normed_over(1),
    "tiny_batches": {ONE: "error", TWO: "signs", MAP: "works"},
}
WRONG = {
    "gelu_slope": [
        without_product_rule,
        without_square_root,
        of_the_tanh_approximation,
        lambda x: (x > 0).to(x.dtype),
        torch.nn.functional.gelu,
        0.5,
    ],
    "layer_norm_2d": [
        normed_over((0, 2, 3)),
        normed_over((1, 2, 3)),
        normed_over(1, correction=1),
        normed_over(1, eps_outside=True),
        without_scale_and_shift,
        scale_on_the_last_axis,
    ],
    "tiny_batches": [
        {ONE: "works", TWO: "works", MAP: "works"},
        {ONE: "error", TWO: "works", MAP: "works"},
        {ONE: "error", TWO: "signs", MAP: "error"},
        {ONE: "signs", TWO: "signs", MAP: "works"},
        {ONE: "error", TWO: "signs"},
        "error",
    ],
}
