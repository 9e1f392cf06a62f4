"""Designs for the tests of the explorer: the rungs, extremes, and random ones."""

import random

import ablation as ab
from ablation.show.explorer import Design
from ablation.show.explorer.state import RUNGS, SWITCHES

LAST_RUNG = RUNGS[-1].architecture
TINY = ab.Architecture(depths=(1, 1, 1, 1), width=8, stem_stride=2)
DESIGNS = {
    "resnet200": Design(ab.RESNET200),
    "published ConvNeXt-T": Design(ab.convnext("tiny")),
    "pooled, 32 px": Design(ab.RESNET50.replace(downsampling="pool", stem_stride=1), 32),
    "tiny": Design(TINY, 64),
    "huge": Design(ab.Architecture(kernel_size=51, width=4096, depths=(99, 1, 200, 3)), 4096),
    "cheap": Design(ab.RESNET50.replace(width=16), 64),
} | {rung.name: Design(rung.architecture) for rung in RUNGS}


def random_designs(number, seed=0):
    """Return designs with random switches and, for every other one, random fields and image size."""
    draw = random.Random(seed)
    found = []
    for i in range(number):
        design = Design()
        for switch in SWITCHES:
            design = design.flip(switch) if draw.random() < 0.5 else design
        if i % 2:
            design = design.change(
                depths=tuple(draw.randint(1, 30) for _ in range(4)),
                width=draw.choice([1, 7, 40, 160, 513]),
                kernel_size=draw.choice([1, 3, 9, 31]),
                stem_stride=draw.choice([1, 2, 4]),
                downsampling=draw.choice(["block", "separate", "pool"]),
                layer_scale=draw.choice([None, 1e-6]),
                expansion=draw.choice([1, 4, 6]),
                size=draw.choice([64, 224, 300, 1000]),
            )
        found.append(design)
    return found
