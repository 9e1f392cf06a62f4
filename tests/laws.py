"""All steps over which the properties of steps are tested, and random weights that make errors visible."""

from __future__ import annotations

import random

import torch
from torch import nn

from ablation.design import steps
from ablation.design.steps import Step

# At least one entry per step; step factories with the paper's values and with others.
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
    """Return a random subset of the twelve steps in a random order; its width never exceeds 12 channels."""
    rng = random.Random(seed)
    names = rng.sample(sorted(TABLE), rng.randint(0, len(TABLE)))
    return [rng.choice([step for step in TABLE[name] if step.name != "widen"]) for name in names]


def randomise(module: nn.Module, seed: int = 0) -> nn.Module:
    """Draw every parameter and buffer at random, in place, and return the module.

    With initial values, a norm weight of zero or a tiny layer scale would hide errors in a block. Multiplicative
    vectors (norm weights, variances, layer scale) lie between 0.5 and 1.5; matrices preserve the scale of their input.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            if not tensor.is_floating_point():
                continue
            values = torch.randn(tensor.shape, generator=generator, dtype=torch.float64)
            if tensor.ndim > 1:
                values /= tensor[0].numel() ** 0.5
            elif name.endswith(("weight", "gamma", "running_var")):
                values = torch.rand(tensor.shape, generator=generator, dtype=torch.float64) + 0.5
            else:
                values *= 0.1
            tensor.copy_(values)
    return module
