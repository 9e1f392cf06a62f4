"""Checkers of notebook 10."""

from __future__ import annotations

from typing import Any

from .. import RESNET50, convnext, cost, count, steps
from ..design import registry
from .checking import exercise, need, need_number

REDUCTION = 16


def excitation_params(channels: int) -> int:
    """Parameters of squeeze-and-excitation: two linear layers with biases and a hidden width of a sixteenth, at least 1."""
    hidden = max(channels // REDUCTION, 1)
    return channels * hidden + hidden + hidden * channels + channels


@exercise(
    accepts="a function that gives the exact number for each of eight widths, from 1 to 3072",
    hint="a linear layer from n to m has n * m weights and m biases; mind the widths below 16",
)
def squeeze_excitation_params(answer: Any) -> None:
    """Parameters of squeeze-and-excitation as a function of its channels."""
    for channels in (1, 8, 15, 16, 33, 96, 384, 3072):
        what = f"the number of parameters for {channels} channels"
        need_number(answer(channels), excitation_params(channels), what=what)


@exercise(
    accepts="a function that is right, True or False, about each of six steps over several starts",
    hint="take the step twice from every start, and compare descriptions: what does taking it again change?",
)
def twice_is_once(answer: Any) -> None:
    """A test of idempotence: answer(step, starts) -> bool."""
    road = [RESNET50, convnext("tiny"), RESNET50.apply(steps.widen(96))]
    cases = [
        (steps.gelu, True),
        (steps.chain(), True),
        (steps.Step("at_least_80", lambda a: a.replace(width=max(a.width, 80))), True),  # looks at its start, and may
        (steps.Step("larger", lambda a: a.replace(kernel_size=a.kernel_size + 2)), False),
        (steps.Step("mirror", lambda a: a.replace(depths=a.depths[::-1])), False),
        (steps.Step("slow", lambda a: a.replace(width=a.width - 1) if a.width > 90 and a.stem == "conv" else a), False),
    ]
    for step, wanted in cases:
        given = answer(step, list(road))
        need(isinstance(given, bool), f"about {step!r} it returned {given!r}; True or False is asked for")
        need(given == wanted, f"it is wrong about a step: {step!r} is {'' if wanted else 'not '}the same taken twice")


@exercise(
    accepts='"params", "macs", "both" or "neither", as it comes out when the network is built and counted',
    hint="which of the two numbers did the registration tell the closed form about, and what does a linear layer have?",
)
def where_the_cost_is_wrong(answer: Any) -> None:
    """Squeeze-and-excitation registered as an activation: where closed form and count differ; both are really taken."""
    possible = ("params", "macs", "both", "neither")
    need(answer in possible, f"{answer!r} is none of {', '.join(possible)}")
    name = "course_squeeze_excitation"
    registry.register_activation(name, _squeeze_excitation, params=excitation_params, depends_on="image")
    try:
        architecture = convnext("tiny").replace(depths=(1, 1, 1, 1), width=16, activation=name)
        from .. import build

        closed, counted = (
            cost(architecture, size=32, num_classes=10),
            count(build(architecture, num_classes=10), size=32),
        )
    finally:
        del registry.ACTIVATIONS[name]
    differ = [what for what in ("params", "macs") if getattr(closed, what) != getattr(counted, what)]
    found = {0: "neither", 1: "".join(differ), 2: "both"}[len(differ)]
    need(answer == found, "the network was built and counted, and it came out otherwise")


def _squeeze_excitation(channels: int) -> Any:
    """The layer of Hu et al. 2018, arXiv 1709.01507, after a GELU."""
    from torch import Tensor, nn

    class SqueezeExcitation(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            hidden = max(channels // REDUCTION, 1)
            self.down, self.up = nn.Linear(channels, hidden), nn.Linear(hidden, channels)

        def forward(self, x: Tensor) -> Tensor:
            x = nn.functional.gelu(x)
            gate = self.up(self.down(x.mean(dim=(2, 3))).relu()).sigmoid()  # (N, C)
            return x * gate[:, :, None, None]

    return SqueezeExcitation()
