"""Static and dynamic weights: whether a layer mixes positions in the same way for every image.

A convolution's kernel is learnt once and is the same for every image. Window attention computes its weights from the
image (Liu et al. 2021, arXiv 2103.14030). When attention is mapped to a depthwise convolution, this is the only
difference that remains. It shows in the Jacobian of one output position with respect to the input, which is constant
for the convolution and varies between images for attention.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..errors import AblationError
from .features import Layout, run
from .modes import as_images, preserving_state

LAYOUTS = ("NCHW", "NHWC")


@dataclass(frozen=True)
class JacobianChange:
    """Variation of the Jacobian of one output position across inputs.

    Args:
        change: (N,), Frobenius norm of the difference between each input's Jacobian and the mean Jacobian, divided by
            the norm of the mean. 0 for a layer with static weights.
        maps: (N, H, W), norm of the Jacobian over input and output channels: the weight of each input position.
    """

    change: NDArray[np.float64]
    maps: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean change over the inputs."""
        return float(self.change.mean())


def jacobian_change(
    module: nn.Module,
    inputs: Tensor,
    layout: str = "NCHW",
    position: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> JacobianChange:
    """Measure how much the Jacobian of one output position changes between inputs.

    Args:
        module: a layer or block that preserves the map's size: (N, C, H, W) -> (N, D, H, W), or both channels-last.
        inputs: two or more different maps, in this layout.
        layout: "NCHW" or "NHWC".
        position: row and column of the output position; by default the centre.
        progress: called after each output channel with (channels done, total channels).

    Returns:
        The change per input, and the map of weights per input.

    Raises:
        AblationError: for fewer than two inputs, or a module that does not preserve the map's size.
    """
    if layout not in LAYOUTS:
        raise AblationError(f"layout {layout!r} is not possible. Possible: {', '.join(LAYOUTS)}")
    inputs = as_images(module, inputs)
    if len(inputs) < 2:
        raise AblationError("two or more inputs are needed to measure a change")
    sides = inputs.shape[2:] if layout == "NCHW" else inputs.shape[1:3]
    row, column = position or (sides[0] // 2, sides[1] // 2)
    if not (0 <= row < sides[0] and 0 <= column < sides[1]):
        raise AblationError(f"position {(row, column)} is outside the map of {sides[0]} x {sides[1]}")
    reader = Layout(layout, sides[0], sides[1], inputs.shape[1 if layout == "NCHW" else 3])
    with preserving_state(module):
        x = inputs.clone().requires_grad_()
        output = run(module, x)
        name = type(module).__name__
        if not isinstance(output, Tensor) or output.ndim != 4:
            given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise AblationError(f"{name} outputs {given}: a map of four dimensions is expected")
        if not output.requires_grad:
            raise AblationError(f"the output of {name} does not depend on its input, so it has no Jacobian")
        output = reader.to_map(output)
        if tuple(output.shape[2:]) != tuple(sides):
            raise AblationError(
                f"{name} turns a map of {sides[0]} x {sides[1]} into one of "
                f"{output.shape[2]} x {output.shape[3]}: a layer that preserves the size is expected"
            )
        # Sums of squares: of the differences (N,), of the mean Jacobian (), per position (N, H, W).
        shapes: tuple[tuple[int, ...], ...] = ((len(inputs),), (), (len(inputs), *sides))
        difference, mean, weights = (inputs.new_zeros(shape, dtype=torch.float64) for shape in shapes)
        for channel in range(output.shape[1]):  # one at a time, because all together take gigabytes
            (gradient,) = torch.autograd.grad(output[:, channel, row, column].sum(), x, retain_graph=True)
            jacobian = reader.to_map(gradient).double()  # (N, C, H, W)
            average = jacobian.mean(0)
            difference = difference + (jacobian - average).square().sum((1, 2, 3), dtype=torch.float64)
            mean = mean + average.square().sum(dtype=torch.float64)
            weights = weights + jacobian.square().sum(1, dtype=torch.float64)
            if progress:
                progress(channel + 1, output.shape[1])
    change, maps = (part.sqrt().cpu().numpy() for part in (difference / mean, weights))
    return JacobianChange(change, maps)
