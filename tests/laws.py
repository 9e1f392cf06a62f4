"""The table of all steps that the laws are held over, and a way to make weights under which nothing hides."""

from __future__ import annotations

import random

import torch
from torch import nn

from ablation.design import steps
from ablation.design.steps import Step

# One or more of each of the twelve; factories at the paper's values and at others.
TABLE: dict[str, list[Step]] = {
    "stage_ratio": [steps.stage_ratio(), steps.stage_ratio((1, 2, 1, 1))],
    "patchify_stem": [steps.patchify_stem],
    "depthwise": [steps.depthwise],
    "widen": [steps.widen(), steps.widen(12)],
    "inverted_bottleneck": [steps.inverted_bottleneck],
    "move_up_depthwise": [steps.move_up_depthwise],
    "kernel_size": [steps.kernel_size(k) for k in (1, 5, 7, 9, 11)],
    "gelu": [steps.gelu],
    "fewer_activations": [steps.fewer_activations],
    "fewer_norms": [steps.fewer_norms],
    "layer_norm": [steps.layer_norm],
    "strided_downsampling": [steps.strided_downsampling],
}
ALL_STEPS = [step for entries in TABLE.values() for step in entries]


def random_subset(seed: int) -> list[Step]:
    """A random subset of the twelve steps in a random order, never wider than 12 channels."""
    draw = random.Random(seed)
    names = draw.sample(sorted(TABLE), draw.randint(0, len(TABLE)))
    return [draw.choice([step for step in TABLE[name] if step.name != "widen"]) for name in names]


def randomise(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter and buffer at random: at initial values a zeroed norm or a tiny layer scale hides a wrong block.

    Vectors that multiply (norm weights, variances, layer scale) lie in 0.5 to 1.5; matrices keep their input's size.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if not tensor.is_floating_point():
                continue
            draw = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            if tensor.ndim > 1:
                draw /= tensor[0].numel() ** 0.5
            elif name.endswith(("weight", "gamma", "running_var")):
                draw = torch.rand(tensor.shape, generator=generator, dtype=torch.float64) + 0.5
            else:
                draw *= 0.1
            tensor.copy_(draw)
    return module
