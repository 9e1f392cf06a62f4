"""The explorer's state: an immutable value with a network and an image size, and the quantities derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ...design import steps
from ...design.architecture import RESNET50, Architecture
from ...design.cost import Cost, cost
from ...design.roadmap import KERNEL_KEPT, Rung, roadmap
from ...design.steps import Step
from ...errors import AblationError


@dataclass(frozen=True)
class Switch:
    """One of the paper's twelve steps as a switch.

    If the switch is off, the field that the step sets has ResNet-50's value; if it is on, the value that the step sets on
    the road to ConvNeXt-T.

    Args:
        step: the step.
        label: name and short explanation of the step.
    """

    step: Step
    label: str

    @cached_property
    def field(self) -> str:
        """The field of the architecture that the step sets."""
        (field,) = RESNET50.diff(self.step(RESNET50))
        return field

    @cached_property
    def value(self) -> Any:
        """The value to which the step sets its field."""
        return getattr(self.step(RESNET50), self.field)

    def is_on(self, architecture: Architecture) -> bool:
        """Return whether the architecture has the value that the step sets."""
        return bool(getattr(architecture, self.field) == self.value)

    def flip(self, architecture: Architecture) -> Architecture:
        """Return the architecture with the step applied, or reverted if it is on."""
        other = getattr(RESNET50, self.field) if self.is_on(architecture) else self.value
        return architecture.replace(**{self.field: other})


@dataclass(frozen=True)
class Group:
    """A group of steps, as in the paper.

    Args:
        title, section: title and section number of the group in the paper.
        notebook: notebook of the course that treats the steps.
        switches: switches of its steps, in the paper's order.
    """

    title: str
    section: str
    notebook: str
    switches: tuple[Switch, ...]


GROUPS = (
    Group(
        "Macro design",
        "2.2",
        "02_macro_design",
        (
            Switch(steps.stage_ratio(), "stage ratio: depths 3, 3, 9, 3"),
            Switch(steps.patchify_stem, "patchify stem: patches that do not overlap"),
        ),
    ),
    Group(
        "ResNeXt-ify",
        "2.3",
        "03_depthwise_and_inverted",
        (
            Switch(steps.depthwise, "depthwise conv: one filter per channel"),
            Switch(steps.widen(), "more width: 96 channels in stage 1"),
        ),
    ),
    Group(
        "Inverted bottleneck",
        "2.4",
        "03_depthwise_and_inverted",
        (Switch(steps.inverted_bottleneck, "inverted bottleneck: wide in the middle"),),
    ),
    Group(
        "Large kernels",
        "2.5",
        "04_large_kernels",
        (
            Switch(steps.move_up_depthwise, "spatial conv moved up to the front"),
            Switch(steps.kernel_size(KERNEL_KEPT), f"kernel size {KERNEL_KEPT}"),
        ),
    ),
    Group(
        "Micro design",
        "2.6",
        "05_micro_design, 06_downsampling",
        (
            Switch(steps.gelu, "GELU for ReLU"),
            Switch(steps.fewer_activations, "fewer activations: one per block"),
            Switch(steps.fewer_norms, "fewer norms: one per block"),
            Switch(steps.layer_norm, "LayerNorm for BatchNorm"),
            Switch(steps.strided_downsampling, "separate downsampling: 2x2 layers"),
        ),
    ),
)
SWITCHES = tuple(switch for group in GROUPS for switch in group.switches)
# without the first row, which has the same network as the second
RUNGS = tuple(rung for rung in roadmap() if rung.recipe == "modern")
_ALL_RUNGS = (*RUNGS, *(rung for rung in roadmap("resnet200") if rung.recipe == "modern"))
_RUNG_OF = {rung.architecture: rung for rung in reversed(_ALL_RUNGS)}  # of equal networks the first
PUBLISHED_SIZE = 224  # px; image size of the paper's accuracies
ORIGINAL = roadmap()[0]
# The most that the explorer takes: about ten times the largest in use.
MAX_SIZE, MAX_WIDTH, MAX_KERNEL, MAX_BLOCKS = 4096, 4096, 255, 500


@dataclass(frozen=True)
class Neighbour:
    """A network one switch away.

    Args:
        switch: the switch.
        turns_on: whether the switch turns the step on; otherwise it turns it off.
        design: the resulting design, or None if it is not possible.
        params, macs: change of parameters and MACs; negative for a reduction.
        problem: why the design is not possible, or "".
    """

    switch: Switch
    turns_on: bool
    design: Design | None
    params: int = 0
    macs: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Design:
    """A network and the size of its input image.

    Args:
        architecture: the network.
        size: side of the image in pixels.

    Raises:
        AblationError: if the image is too small for the network's strides, or a number is beyond what the explorer shows.

    >>> Design(RESNET50).flip(SWITCHES[1]).rung is None
    True
    >>> Design(RESNET50).flip(SWITCHES[0]).flip(SWITCHES[1]).rung.title
    'patchify stem'
    """

    architecture: Architecture = RESNET50
    size: int = 224

    def __post_init__(self) -> None:
        map_px = self.architecture.sizes(self.size)[0]
        if self.size > MAX_SIZE:
            raise AblationError(
                f"an image of {self.size:,} px has maps of {map_px:,} x {map_px:,} in stage 1, which no drawing can show and "
                f"hardly a machine can run: the explorer takes images of up to {MAX_SIZE:,} px"
            )
        a = self.architecture
        for name, value, most in (("width", a.width, MAX_WIDTH), ("kernel size", a.kernel_size, MAX_KERNEL)):
            if value > most:
                raise AblationError(f"a {name} of {value:,} is beyond any network: the explorer takes up to {most:,}")
        if max(a.depths) > MAX_BLOCKS:
            raise AblationError(f"{max(a.depths):,} blocks in a stage: the explorer takes up to {MAX_BLOCKS:,}")

    @cached_property
    def cost(self) -> Cost:
        """Its cost, computed in closed form."""
        return cost(self.architecture, self.size)

    @cached_property
    def rung(self) -> Rung | None:
        """The rung of the paper's ladders with this architecture, or None; the image size does not matter."""
        return _RUNG_OF.get(self.architecture)

    @cached_property
    def nearest(self) -> Rung:
        """The rung of the ResNet-50 ladder that differs in the fewest fields; in case of a tie, the last."""
        return min(reversed(RUNGS), key=lambda rung: len(rung.architecture.diff(self.architecture)))

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """All networks one switch away, in the paper's order."""
        return tuple(self._neighbour(switch) for switch in SWITCHES)

    def flip(self, switch: Switch) -> Design:
        """Return the design with one step applied, or reverted if it is on."""
        return Design(switch.flip(self.architecture), self.size)

    def change(self, **fields: Any) -> Design:
        """Return the design with other values for fields of the architecture, or for `size`."""
        size = fields.pop("size", self.size)
        return Design(self.architecture.replace(**fields), size)

    def _neighbour(self, switch: Switch) -> Neighbour:
        turns_on = not switch.is_on(self.architecture)
        try:
            design = self.flip(switch)
        except AblationError as error:
            return Neighbour(switch, turns_on, None, problem=str(error))
        params, macs = design.cost.params - self.cost.params, design.cost.macs - self.cost.macs
        return Neighbour(switch, turns_on, design, params, macs)


def is_larger_than_image(design: Design) -> bool:
    """Return whether the receptive field of the last stage is larger than the image."""
    field = design.cost.receptive_field
    return field is None or field > design.size
