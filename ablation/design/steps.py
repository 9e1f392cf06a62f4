"""The twelve steps of the paper's road, each a pure transform of an `Architecture`, and `chain` to compose them.

"A ConvNet for the 2020s", Liu et al. 2022, arXiv 2201.03545, sections 2.2 to 2.6. The paper changes a network in
place, row by row; here a step looks only at the field it sets, never at where it starts, so any subset in any order
is a network.

`STEPS` is the table of all of them by name: what the command line accepts and the tests hold to the laws of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import AblationError, unknown
from .architecture import Architecture

Transform = Callable[[Architecture], Architecture]


@dataclass(frozen=True)
class Step:
    """A named pure transform of a description, called as a function.

    Args:
        name: what it is called in tables and on the command line; two steps of one name are taken to be the same step.
        transform: description -> description; it must leave its argument as it was, which a frozen value sees to.
        title: the row of the paper's table; by default the name in words.
        section: the section of the paper that takes the step, or "" for one that is not in it.

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
            raise AblationError(f"step {self.name!r} returned {result!r}; a step returns an Architecture")
        return result

    def __repr__(self) -> str:
        return self.name


def chain(*steps: Step) -> Step:
    """The step that takes these steps from left to right; `chain()` changes nothing.

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
    """A step that sets fields of the description to fixed values; every step of the paper is one."""
    Architecture().replace(**fields)  # a value that is not possible is an error where the step is made
    return Step(name, lambda architecture: architecture.replace(**fields), title, section)


def stage_ratio(depths: Iterable[int] = (3, 3, 9, 3)) -> Step:
    """Blocks per stage: from ResNet-50's (3, 4, 6, 3) to Swin-T's ratio 1:1:3:1 (section 2.2)."""
    if not isinstance(depths, Iterable):
        raise AblationError(f"stage_ratio takes four depths, such as (3, 3, 9, 3), not {depths!r}")
    depths = tuple(depths)
    name = "stage_ratio" if depths == (3, 3, 9, 3) else f"stage_ratio={','.join(map(str, depths))}"
    return set_fields(name, "stage ratio", "2.2", depths=depths)


def widen(width: int = 96) -> Step:
    """Channels of the first stage: depthwise convolution leaves room for Swin-T's 96 (section 2.3)."""
    name = "widen" if width == 96 else f"widen={width}"
    return set_fields(name, "increase width", "2.3", width=width)


def kernel_size(k: int) -> Step:
    """Side of the spatial convolution; the paper tries 5, 7, 9 and 11 and keeps 7 (section 2.5)."""
    return set_fields(f"kernel_size={k}", f"kernel size {k}", "2.5", kernel_size=k)


def layer_scale(initial: float | None = 1e-6) -> Step:
    """A learnt per-channel factor at the end of each branch (Touvron et al. 2021, arXiv 2103.17239).

    No row of the paper's table sets it; the published ConvNeXt models have it, so it is a step here, but not one of the twelve.
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
    """Add a step of one's own to `STEPS`, so that `parse` and the command line know it.

    Returns:
        The step, so that the call can stand where the step is made.

    Raises:
        AblationError: if the name is one of the paper's, or is no plain word (a name is typed on the command line).
    """
    if not step.name.isidentifier():
        raise AblationError(f"the name of a step, {step.name!r}, must be an identifier, such as 'gelu_grn'")
    if step.name in PAPER_STEPS:
        raise AblationError(f"step {step.name!r} is the paper's; choose another name")
    STEPS[step.name] = step
    return step


def parse(text: str) -> Step:
    """The step that a text names, with its value after an equals sign where it takes one.

    >>> parse("gelu"), parse("kernel_size=7"), parse("stage_ratio=3,3,27,3")
    (gelu, kernel_size=7, stage_ratio=3,3,27,3)

    Raises:
        AblationError: for a name that does not exist (the nearest is offered) or a value that is not possible.
    """
    name, equals, value = text.strip().partition("=")
    if name not in STEPS:
        raise unknown("step", name, STEPS)
    entry = STEPS[name]
    if isinstance(entry, Step):
        if equals:
            raise AblationError(f"step {name!r} takes no value, but {text!r} gives it one")
        return entry
    if not equals:
        if entry is kernel_size:
            raise AblationError("step 'kernel_size' needs a value, such as kernel_size=7")
        return entry()
    try:
        numbers = [int(part) for part in value.split(",")]
    except ValueError:
        raise AblationError(f"step {name!r} takes whole numbers, but {text!r} gives it {value!r}") from None
    if entry is stage_ratio:
        return stage_ratio(numbers)
    if len(numbers) != 1:
        raise AblationError(f"step {name!r} takes one number, but {text!r} gives it {len(numbers)}")
    return entry(numbers[0])
