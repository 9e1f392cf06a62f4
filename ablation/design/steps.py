"""The twelve steps of the paper, each a pure function of an `Architecture`, and `chain` to compose them.

"A ConvNet for the 2020s", Liu et al. 2022, arXiv 2201.03545, sections 2.2 to 2.6. The paper changes one network row by
row. Here each step sets only its own field and does not depend on the values of the others, so any subset of the steps
in any order gives a valid network.

`STEPS` maps names to steps. The command line accepts these names, and the tests check the properties of every entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import AblationError, shown, unknown
from .architecture import Architecture

Transform = Callable[[Architecture], Architecture]


@dataclass(frozen=True)
class Step:
    """Named pure function from one description to another; call the step to apply it.

    Args:
        name: name in tables and on the command line; steps with equal name, title and section compare equal.
        transform: description -> description; it must not modify its argument (which is frozen anyway).
        title: title of the row in the paper's table; by default the name with spaces instead of underscores.
        section: section of the paper that describes the step, or "" if it is not in the paper.

    >>> gelu
    gelu
    >>> gelu(Architecture())
    Architecture(activation='gelu')
    """

    name: str
    transform: Transform = field(compare=False, repr=False)
    title: str = ""
    section: str = ""

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", self.name.replace("_", " "))

    def __call__(self, architecture: Architecture) -> Architecture:
        result = self.transform(architecture)
        if not isinstance(result, Architecture):
            raise AblationError(f"step {self.name!r} returned {result!r}; a step must return an Architecture")
        return result

    def __repr__(self) -> str:
        return self.name


def chain(*steps: Step) -> Step:
    """Return the step that applies these steps from left to right; `chain()` changes nothing.

    >>> chain(depthwise, gelu)
    chain(depthwise, gelu)
    >>> chain()(Architecture()) == Architecture()
    True
    """
    title = ", ".join(step.title for step in steps) or "no change"
    sections = dict.fromkeys(step.section for step in steps if step.section)
    return Step(
        f"chain({', '.join(step.name for step in steps)})",
        lambda architecture: architecture.apply(*steps),
        title,
        ", ".join(sections),
    )


def set_fields(name: str, title: str, section: str, **fields: Any) -> Step:
    """Return a step that sets fields of the description to fixed values, as every step of the paper does."""
    Architecture().replace(**fields)  # raises an error for an invalid value when the step is created
    return Step(name, lambda architecture: architecture.replace(**fields), title, section)


def stage_ratio(depths: Iterable[int] = (3, 3, 9, 3)) -> Step:
    """Return the step that sets the blocks per stage: from ResNet-50's (3, 4, 6, 3) to Swin-T's ratio 1:1:3:1 (section 2.2)."""
    if not isinstance(depths, Iterable):
        raise AblationError(f"stage_ratio requires four depths, such as (3, 3, 9, 3), not {depths!r}")
    depths = tuple(depths)
    name = "stage_ratio" if depths == (3, 3, 9, 3) else f"stage_ratio={','.join(map(str, depths))}"
    return set_fields(name, "stage ratio", "2.2", depths=depths)


def widen(width: int = 96) -> Step:
    """Return the step that sets the width of the first stage, by default Swin-T's 96 channels (section 2.3).

    Depthwise convolution lowers the cost enough to allow the larger width.
    """
    name = "widen" if width == 96 else f"widen={width}"
    return set_fields(name, "increase width", "2.3", width=width)


def kernel_size(k: int) -> Step:
    """Return the step that sets the kernel size; the paper tries 5, 7, 9 and 11 and adopts 7 (section 2.5)."""
    return set_fields(f"kernel_size={k}", f"kernel size {k}", "2.5", kernel_size=k)


def layer_scale(initial: float | None = 1e-6) -> Step:
    """Return the step that adds a learnt per-channel factor at the end of each branch (Touvron et al. 2021, arXiv 2103.17239).

    No row of the paper's table adds it, but the published ConvNeXt models have it. It is therefore a step here, but not one
    of the twelve.
    """
    return set_fields(f"layer_scale={initial}", "layer scale", "", layer_scale=initial)


patchify_stem = set_fields("patchify_stem", "patchify stem", "2.2", stem="patchify")
depthwise = set_fields("depthwise", "depthwise conv", "2.3", depthwise=True)
inverted_bottleneck = set_fields("inverted_bottleneck", "inverting dimensions", "2.4", block="inverted")
move_up_depthwise = set_fields("move_up_depthwise", "move up depthwise conv", "2.5", spatial_first=True)
gelu = set_fields("gelu", "ReLU to GELU", "2.6", activation="gelu")
fewer_activations = set_fields("fewer_activations", "fewer activations", "2.6", activations="single")
fewer_norms = set_fields("fewer_norms", "fewer norms", "2.6", norms="single")
layer_norm = set_fields("layer_norm", "BN to LN", "2.6", norm="layer")
strided_downsampling = set_fields("strided_downsampling", "separate downsampling", "2.6", downsampling="separate")

STEPS: dict[str, Step | Callable[..., Step]] = {
    "stage_ratio": stage_ratio,
    "patchify_stem": patchify_stem,
    "depthwise": depthwise,
    "widen": widen,
    "inverted_bottleneck": inverted_bottleneck,
    "move_up_depthwise": move_up_depthwise,
    "kernel_size": kernel_size,
    "gelu": gelu,
    "fewer_activations": fewer_activations,
    "fewer_norms": fewer_norms,
    "layer_norm": layer_norm,
    "strided_downsampling": strided_downsampling,
}
PAPER_STEPS = tuple(STEPS)


def register_step(step: Step) -> Step:
    """Add a custom step to `STEPS`, so that `parse` and the command line accept its name.

    Returns:
        The same step, so that it can be created and registered in one expression.

    Raises:
        AblationError: if the name belongs to a step of the paper or is not an identifier.
    """
    if not step.name.isidentifier():
        raise AblationError(f"step name {step.name!r} must be an identifier, such as 'gelu_grn'")
    if step.name in PAPER_STEPS:
        raise AblationError(f"{step.name!r} is the name of a step of the paper; choose another name")
    STEPS[step.name] = step
    return step


def parse(text: str) -> Step:
    """Return the step that a text names, with a value after an equals sign for steps that take one.

    >>> parse("gelu"), parse("kernel_size=7"), parse("stage_ratio=3,3,27,3")
    (gelu, kernel_size=7, stage_ratio=3,3,27,3)

    Raises:
        AblationError: for an unknown name (the message suggests the closest match) or an invalid value.
    """
    name, equals, value = text.strip().partition("=")
    if name not in STEPS:
        raise unknown("step", name, STEPS)
    entry = STEPS[name]
    if isinstance(entry, Step):
        if equals:
            raise AblationError(f"step {name!r} takes no value, but got {shown(text)}")
        return entry
    if not equals:
        if entry is kernel_size:
            raise AblationError("step 'kernel_size' requires a value, such as kernel_size=7")
        return entry()
    try:
        numbers = [int(part) for part in value.split(",")]
    except ValueError:
        raise AblationError(f"step {name!r} takes whole numbers, but got {shown(value)}") from None
    if entry is stage_ratio:
        return stage_ratio(numbers)
    if len(numbers) != 1:
        raise AblationError(f"step {name!r} takes one number, but {shown(text)} has {len(numbers)}")
    return entry(numbers[0])
