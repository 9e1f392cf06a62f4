"""Where the explorer stands: a network and an image size as one value, and what can be asked of it."""

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
    """One of the paper's twelve steps as something to switch on and off.

    Off is ResNet-50's value of the field that the step sets, on is the value that it sets on the way to ConvNeXt-T.

    Args:
        step: the step.
        words: what it does, for those who do not know its name yet.
    """

    step: Step
    words: str

    @property
    def field(self) -> str:
        """The field of the description that the step sets."""
        (field,) = RESNET50.diff(self.step(RESNET50))
        return field

    def is_on(self, architecture: Architecture) -> bool:
        """Whether the description has the value that the step sets."""
        return self.step(architecture) == architecture

    def flip(self, architecture: Architecture) -> Architecture:
        """The description with the step taken, or taken back."""
        if self.is_on(architecture):
            return architecture.replace(**{self.field: getattr(RESNET50, self.field)})
        return self.step(architecture)


@dataclass(frozen=True)
class Group:
    """Steps that the paper takes together.

    Args:
        title, section: the paper's.
        notebook: where the course takes them apart.
        switches: its steps, in the paper's order.
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
            Switch(steps.depthwise, "depthwise convolution: one filter a channel"),
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
            Switch(steps.move_up_depthwise, "spatial convolution moved up to the front"),
            Switch(steps.kernel_size(KERNEL_KEPT), f"kernel size {KERNEL_KEPT}"),
        ),
    ),
    Group(
        "Micro design",
        "2.6",
        "05_micro_design, 06_downsampling",
        (
            Switch(steps.gelu, "GELU for ReLU"),
            Switch(steps.fewer_activations, "fewer activations: one a block"),
            Switch(steps.fewer_norms, "fewer norms: one a block"),
            Switch(steps.layer_norm, "LayerNorm for BatchNorm"),
            Switch(steps.strided_downsampling, "separate downsampling: 2x2 between stages"),
        ),
    ),
)
SWITCHES = tuple(switch for group in GROUPS for switch in group.switches)
RUNGS = tuple(
    rung for rung in roadmap() if rung.recipe == "modern"
)  # one rung a network; the first row is the second's
_ALL_RUNGS = (*RUNGS, *(rung for rung in roadmap("resnet200") if rung.recipe == "modern"))
PUBLISHED_SIZE = 224  # px, at which the paper's accuracies were measured
ORIGINAL = roadmap()[0]


@dataclass(frozen=True)
class Neighbour:
    """A network one switch away.

    Args:
        switch: which.
        taken: the step is taken, rather than taken back.
        design: where it leads, or None where that is not possible.
        params, macs: what it adds; below zero where it saves.
        problem: why it is not possible, or "".
    """

    switch: Switch
    taken: bool
    design: Design | None
    params: int = 0
    macs: int = 0
    problem: str = ""


@dataclass(frozen=True)
class Design:
    """A network and the image it is looked at with.

    Args:
        architecture: the network.
        size: side of the image in pixels.

    Raises:
        AblationError: if the image is too small for the network's strides.

    >>> Design(RESNET50).flip(SWITCHES[1]).rung is None
    True
    >>> Design(RESNET50).flip(SWITCHES[0]).flip(SWITCHES[1]).rung.title
    'patchify stem'
    """

    architecture: Architecture = RESNET50
    size: int = 224

    def __post_init__(self) -> None:
        self.architecture.sizes(self.size)

    @cached_property
    def cost(self) -> Cost:
        """What it costs, in closed form."""
        return cost(self.architecture, self.size)

    @property
    def rung(self) -> Rung | None:
        """The row of the paper's tables that this network is, if it is one, whatever the image size."""
        return next((rung for rung in _ALL_RUNGS if rung.architecture == self.architecture), None)

    @property
    def nearest(self) -> Rung:
        """The rung of the ResNet-50 ladder that differs in the fewest fields; of several, the last."""
        return min(reversed(RUNGS), key=lambda rung: len(rung.architecture.diff(self.architecture)))

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Every network one switch away, in the paper's order."""
        return tuple(self._neighbour(switch) for switch in SWITCHES)

    def flip(self, switch: Switch) -> Design:
        """The design with one step taken, or taken back."""
        return Design(switch.flip(self.architecture), self.size)

    def change(self, **fields: Any) -> Design:
        """The design with other values of the description's fields, or of `size`."""
        size = fields.pop("size", self.size)
        return Design(self.architecture.replace(**fields), size)

    def _neighbour(self, switch: Switch) -> Neighbour:
        taken = not switch.is_on(self.architecture)
        try:
            there = self.flip(switch)
        except AblationError as error:
            return Neighbour(switch, taken, None, problem=str(error))
        params, macs = there.cost.params - self.cost.params, there.cost.macs - self.cost.macs
        return Neighbour(switch, taken, there, params, macs)


def is_larger_than_image(design: Design) -> bool:
    """Whether the last stage's receptive field is larger than the image."""
    field = design.cost.receptive_field
    return field is None or field > design.size
