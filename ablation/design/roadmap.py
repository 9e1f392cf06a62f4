"""The two ladders of the paper, ResNet-50 to ConvNeXt-T and ResNet-200 to ConvNeXt-B, as sequences of rungs.

Each rung applies one step to the last adopted rung before it. Kernel sizes 5, 9 and 11 are side branches: they start
from the same rung as kernel size 7, and the ladder does not continue from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import AblationError, unknown
from . import published, steps
from .architecture import RESNET50, RESNET200, Architecture
from .published import Published
from .steps import Step, chain


@dataclass(frozen=True)
class Rung:
    """One row of the paper's table.

    Args:
        name: identifier, unique within the ladder.
        title: title of the row for display.
        step: change from the previous adopted rung; `chain()`, which changes nothing, for the first two rows, which differ
            only in the recipe.
        architecture: description of the network.
        recipe: "original" for the first row, "modern" for all others.
        adopted: whether the ladder continues from this rung; False for kernel sizes 5, 9 and 11.
        previous: name of the adopted rung to which the step is applied; None for the first row.
        published: the paper's accuracy and GFLOPs; None for a ladder that is scaled down.
    """

    name: str
    title: str
    step: Step
    architecture: Architecture
    recipe: str
    adopted: bool
    previous: str | None
    published: Published | None


def roadmap(start: str = "resnet50", width_divisor: int = 1, stem_stride: int = 4) -> tuple[Rung, ...]:
    """Return the ladder that starts from a ResNet, one rung per row of the paper's table.

    Args:
        start: "resnet50" (Table 10) or "resnet200" (Table 11).
        width_divisor: divisor of the width of every rung, for small experiments.
        stem_stride: 4 as in the paper; 2 or 1 for small images.

    Returns:
        17 rungs. Their `published` is None unless `width_divisor` and `stem_stride` have their default values.

    Raises:
        AblationError: if the start is unknown or a width is not divisible.

    >>> [rung.title for rung in roadmap("resnet50")][:3]
    ['ResNet-50 (original recipe)', 'ResNet-50 (enhanced recipe)', 'stage ratio']
    """
    if start not in _LADDERS:
        raise unknown("roadmap", start, _LADDERS)
    title, base, first_step, second_width, table = _LADDERS[start]
    default = width_divisor == 1 and stem_stride == 4
    rows = [
        ("original_recipe", f"{title} (original recipe)", chain()),
        ("enhanced_recipe", f"{title} (enhanced recipe)", chain()),
        ("stage_ratio", first_step.title, first_step),
        ("patchify_stem", "", steps.patchify_stem),
        ("depthwise", "", steps.depthwise),
        ("widen", "", steps.widen(second_width)),
        ("inverted_bottleneck", "", steps.inverted_bottleneck),
        ("move_up_depthwise", "", steps.move_up_depthwise),
        *((f"kernel_size_{k}", "", steps.kernel_size(k)) for k in KERNELS_TRIED),
        ("gelu", "", steps.gelu),
        ("fewer_activations", "", steps.fewer_activations),
        ("fewer_norms", "", steps.fewer_norms),
        ("layer_norm", "", steps.layer_norm),
        ("strided_downsampling", "", steps.strided_downsampling),
    ]
    rungs: list[Rung] = []
    last_adopted: Rung | None = None
    unscaled: dict[str | None, Architecture] = {None: base}  # the unscaled network of each adopted rung, by name
    for name, row_title, step in rows:
        kept = last_adopted.name if last_adopted else None
        previous = "move_up_depthwise" if name.startswith("kernel_size_") else kept
        architecture = unscaled[previous].apply(step)
        adopted = not name.startswith("kernel_size_") or name == f"kernel_size_{KERNEL_KEPT}"
        rung = Rung(
            name=name,
            title=row_title or step.title,
            step=step,
            architecture=_scale(architecture, width_divisor, stem_stride),
            recipe="modern" if rungs else "original",
            adopted=adopted,
            previous=previous,
            published=table[name] if default else None,
        )
        rungs.append(rung)
        if adopted:
            last_adopted, unscaled[name] = rung, architecture
    return tuple(rungs)


KERNELS_TRIED = (5, 7, 9, 11)
KERNEL_KEPT = 7

_LADDERS = {
    "resnet50": ("ResNet-50", RESNET50, steps.stage_ratio(), 96, published.RESNET50),
    "resnet200": (
        "ResNet-200",
        RESNET200,
        chain(steps.stage_ratio((3, 3, 27, 3)), steps.widen(84)),
        128,
        published.RESNET200,
    ),
}
STARTS = tuple(_LADDERS)


def _scale(architecture: Architecture, divisor: int, stem_stride: int) -> Architecture:
    width = architecture.width
    if isinstance(divisor, bool) or not isinstance(divisor, int) or divisor < 1 or width % divisor:
        raise AblationError(
            f"width_divisor {divisor!r} must be a positive whole number that divides every width of the ladder; "
            f"{width} is not divisible"
        )
    return architecture.replace(width=width // divisor, stem_stride=stem_stride)


def find(name: str, rungs: tuple[Rung, ...] | None = None) -> Rung:
    """Return the rung of that name, by default from the ResNet-50 ladder; the error for an unknown name suggests the closest."""
    table = {rung.name: rung for rung in (roadmap() if rungs is None else rungs)}
    if name not in table:
        raise unknown("rung", name, table)
    return table[name]


def road(
    names: Iterable[str], start: str = "resnet50", width_divisor: int = 1, stem_stride: int = 4
) -> tuple[Rung, ...]:
    """Return a custom ladder: a ResNet and the networks after each of these steps, applied sequentially.

    Args:
        names: steps in the format of `steps.parse`, such as "gelu" or "kernel_size=7".
        start: "resnet50" or "resnet200".
        width_divisor, stem_stride: as for `roadmap`.

    Returns:
        One rung for the start and one per step, all of them adopted, with `published` None.
    """
    if start not in _LADDERS:
        raise unknown("roadmap", start, _LADDERS)
    title, architecture, *_ = _LADDERS[start]
    rungs: list[Rung] = []
    for step in (chain(), *(steps.parse(name) for name in names)):
        previous = rungs[-1].name if rungs else None
        architecture = architecture.apply(step)
        scaled = _scale(architecture, width_divisor, stem_stride)
        rungs.append(Rung(step.name, step.title if rungs else title, step, scaled, "modern", True, previous, None))
    return tuple(rungs)
