"""Benchmark of effective receptive fields of eight images, against a plain loop."""

from __future__ import annotations

import itertools
import warnings

import timm
import torch
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import nn

from ablation.measure.images import IMAGENET_MEAN, IMAGENET_STD, normalise, photographs
from ablation.measure.receptive_field import FieldWarning, effective_receptive_field, open_branches
from tests.bench.pairs import interleaved

MODELS = ("resnet50", "convnext_tiny", "swin_tiny_patch4_window7_224")


def plain_loop(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Compute the effective receptive field in the simplest way: autograd on one image at a time."""
    total = torch.zeros(images.shape[-2:], dtype=torch.float64)
    for image in images:
        x = image[None].clone().requires_grad_()
        features = network.forward_features(x)
        if features.shape[1] == features.shape[2]:  # Swin's (N, H, W, C)
            features = features.permute(0, 3, 1, 2)
        centre = features[:, :, features.shape[2] // 2, features.shape[3] // 2]
        (gradient,) = torch.autograd.grad(centre.relu().sum(), x)
        total += gradient.relu().sum((0, 1), dtype=torch.float64)
    return total / len(images)


def bench_fields(pairs: int, console: Console) -> None:
    """Compare with the plain loop on eight images, and report the largest difference of the two maps."""
    console.print("Effective receptive fields of eight images, against a plain loop.", highlight=False)
    table = Table("network", "px", "ratio", "quartiles", "largest difference", box=box.SIMPLE_HEAD)
    jobs = list(itertools.product(MODELS, (224, 448)))
    with Progress(console=console) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore", FieldWarning)
        task = bar.add_task("receptive fields", total=len(jobs) * pairs)
        for name, size in jobs:
            torch.manual_seed(0)
            options = {"img_size": size} if name.startswith("swin") else {}
            network = open_branches(timm.create_model(name, **options).eval())
            images = normalise(photographs(size), IMAGENET_MEAN, IMAGENET_STD)
            ours, theirs = effective_receptive_field(network, images).map, plain_loop(network, images).numpy()
            difference = abs(ours - theirs).max() / theirs.max()
            timed = interleaved(
                lambda network=network, images=images: effective_receptive_field(network, images),
                lambda network=network, images=images: plain_loop(network, images),
                pairs,
                lambda: bar.advance(task),
            )
            row = [name, str(size), *timed.ratio(), f"{difference:.1e}"]
            table.add_row(*row)
            bar.console.print("  ".join(row), highlight=False)
    console.print(table)
