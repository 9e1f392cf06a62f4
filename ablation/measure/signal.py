"""How much of the signal a layer passes on: the standard deviation of its output over that of its input."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from .calls import each_call


@dataclass(frozen=True)
class Signal:
    """Standard deviations over all elements of one call's input and output.

    Args:
        name: name of the layer.
        spread_in, spread_out: of its input and of its output.
    """

    name: str
    spread_in: float
    spread_out: float

    @property
    def gain(self) -> float:
        """The output's standard deviation over the input's; NaN for a constant input."""
        return self.spread_out / self.spread_in if self.spread_in else float("nan")


def signals(module: nn.Module, images: Tensor, kinds: tuple[type[nn.Module], ...]) -> tuple[Signal, ...]:
    """Run images through a network in eval mode and compare input and output of every layer of some kinds.

    At initialisation, this shows whether the signal grows or dies out along the depth (the signal propagation plots of Brock
    et al. 2021, arXiv 2101.08692).

    Args:
        module: any network.
        images: (N, C, H, W), normalised as the network expects.
        kinds: classes of layers, such as the branches of residual blocks.

    Returns:
        One entry per call, in the order of the forward pass.

    Raises:
        AblationError: if the network has no such layer, or cannot be run on the images.

    >>> import torch
    >>> halves = nn.Conv2d(1, 1, 1, bias=False)
    >>> _ = nn.init.constant_(halves.weight, 0.5)
    >>> [signal.gain for signal in signals(halves, torch.rand(1, 1, 8, 8), (nn.Conv2d,))]
    [0.5]
    """
    return each_call(module, images, kinds, " or ".join(kind.__name__ for kind in kinds), _signal)


def _signal(name: str, layer: nn.Module, inputs: Tensor, output: Tensor) -> Signal:
    return Signal(name, float(inputs.detach().double().std()), float(output.double().std()))
