"""Checkers of notebook 10, your own step."""

from __future__ import annotations

from typing import Any

from .. import RESNET50, convnext, cost, count, steps
from ..design import registry
from .checking import exercise, require, require_number

REDUCTION = 16


def excitation_params(channels: int) -> int:
    """Return the parameters of squeeze-and-excitation: two linear layers with biases; hidden width channels / 16, at least 1."""
    hidden = max(channels // REDUCTION, 1)
    return channels * hidden + hidden + hidden * channels + channels


@exercise(
    accepts="a function that returns the exact number for each of eight widths, from 1 to 3072",
    hints=(
        "a linear layer from n to m has n * m weights and m biases",
        "channels // 16 is the hidden width, except where this is less than it may be: look at narrow layers",
    ),
)
def squeeze_excitation_params(answer: Any) -> None:
    """Check a function from the number of channels to the parameters of squeeze-and-excitation."""
    for channels in (1, 8, 15, 16, 33, 96, 384, 3072):
        what = f"the number of parameters for {channels} channels"
        require_number(answer(channels), excitation_params(channels), what=what)


@exercise(
    accepts="a function that returns the right answer, True or False, for each of six steps from several starts",
    hints=(
        "apply the step twice to every start and compare descriptions",
        "compare the result of two applications with that of one, not with the start, and require it from all starts",
    ),
)
def twice_is_once(answer: Any) -> None:
    """Check a test of idempotence: answer(step, starts) -> bool."""
    starts = [RESNET50, convnext("tiny"), RESNET50.apply(steps.widen(96))]
    cases = [
        (steps.gelu, True),
        (steps.chain(), True),
        (
            steps.Step("at_least_80", lambda a: a.replace(width=max(a.width, 80))),
            True,
        ),  # depends on its start, but is idempotent
        (steps.Step("larger", lambda a: a.replace(kernel_size=a.kernel_size + 2)), False),
        (steps.Step("mirror", lambda a: a.replace(depths=a.depths[::-1])), False),
        (steps.Step("slow", lambda a: a.replace(width=a.width - 1) if a.width > 90 and a.stem == "conv" else a), False),
    ]
    for step, expected in cases:
        given = answer(step, list(starts))
        require(isinstance(given, bool), f"for {step!r} it returned {given!r} instead of True or False")
        require(
            given == expected,
            f"it is wrong for {step!r}, which is {'' if expected else 'not '}the same when applied twice",
        )


@exercise(
    accepts='"params", "macs", "both" or "neither", as found by building a network and counting',
    hints=(
        "which of the two numbers does the registration declare to the closed form?",
        "and to which of the two does a linear layer add something when the network is counted?",
    ),
)
def where_the_cost_is_wrong(answer: Any) -> None:
    """Check in which number closed form and count differ for squeeze-and-excitation registered as an activation."""
    possible = ("params", "macs", "both", "neither")
    require(answer in possible, f"{answer!r} is not one of {', '.join(possible)}")
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
    require(answer == found, "the network was built and counted, with a different result")


def _squeeze_excitation(channels: int) -> Any:
    """Build a GELU followed by the squeeze-and-excitation layer of Hu et al. 2018, arXiv 1709.01507."""
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
