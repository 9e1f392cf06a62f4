"""Answers to the exercises of notebook 01."""

import ablation as ab
from ablation import steps

PATH = [rung.step for rung in ab.roadmap() if rung.adopted and rung.step != ab.chain()]


def saver(architecture):
    return min(PATH, key=lambda step: ab.cost(step(architecture)).macs).name


def does_not_change_the_depths(architecture):
    ab.Architecture(depths=(3, 3, 9, 3))
    return architecture


def row(*replaced, depths=(3, 3, 27, 3), width=192):
    """The steps to ConvNeXt-L, without those that are named, and with the steps that are given."""
    names = {step for step in replaced if isinstance(step, str)}
    kept = [steps.stage_ratio(depths), steps.widen(width), *(s for s in PATH if s.name not in {"stage_ratio", "widen"})]
    return [s for s in kept if s.name not in names] + [s for s in replaced if not isinstance(s, str)]


LARGE = ab.convnext("large")

RIGHT = {
    "last_rung": ab.cost(ab.roadmap()[-1].architecture).params,
    "hand_stage_ratio": lambda architecture: architecture.replace(depths=(3, 3, 9, 3)),
    "biggest_saver": saver,
    "order_that_matters": (192, 96),
    "published_row": row(steps.layer_scale()),
}
WRONG = {
    "last_rung": [28_589_128, 28.6e6, ab.cost(ab.roadmap()[-2].architecture).params, "28582504"],
    "hand_stage_ratio": [
        lambda architecture: ab.Architecture(depths=(3, 3, 9, 3)),
        lambda architecture: ab.RESNET50.replace(depths=(3, 3, 9, 3)),
        lambda architecture: architecture.replace(depths=(3, 3, 27, 3)),
        lambda architecture: (3, 3, 9, 3),
        does_not_change_the_depths,
        ab.RESNET50.replace(depths=(3, 3, 9, 3)),
    ],
    "biggest_saver": [
        lambda architecture: "depthwise",
        lambda architecture: saver(ab.RESNET50),
        lambda architecture: max(PATH, key=lambda step: ab.cost(step(architecture)).macs).name,
        lambda architecture: min(PATH, key=lambda step: ab.cost(step(architecture)).params).name,
        lambda architecture: steps.parse(saver(architecture)),
        "depthwise",
    ],
    "order_that_matters": [(192, 192), (96, 96), (128, 96), (96, 192), 192, "different"],
    "published_row": [
        LARGE,
        [ab.chain(*row())],
        [ab.Step("large", lambda architecture: LARGE)],  # the ready-made function
        [*row(width=96), ab.Step("widen=128", lambda architecture: LARGE)],  # the same under the name of a step
        row(width=256),
        row(depths=(3, 3, 9, 3), width=256),
        row("gelu"),  # the right cost from here on
        row("fewer_activations"),
        row("layer_norm", "gelu"),
        row("fewer_norms"),
        [],
    ],
}
