"""Static against dynamic weights: does a layer mix positions in the same way for every image?

A convolution's kernel is learnt once and serves every image. Window attention computes its weights from the image (Liu et al.
2021, arXiv 2103.14030). With the mapping of attention to depthwise convolution, this is the one difference that remains, and it
shows in the Jacobian of one output position with respect to the input: constant for the one, different from image to image
for the other.
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
    """How the Jacobian of one position differs over inputs.

    Args:
        change: (N,), Frobenius norm of each input's difference from the mean Jacobian, over the norm of the mean. 0 for a layer
            whose weights are static.
        maps: (N, H, W), norm of the Jacobian over channels in and out: how much each input position weighs.
    """

    change: NDArray[np.float64]
    maps: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Over the inputs."""
        return float(self.change.mean())


def jacobian_change(
    module: nn.Module,
    inputs: Tensor,
    layout: str = "NCHW",
    position: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> JacobianChange:
    """How far the Jacobian of one output position changes from input to input.

    Args:
        module: a layer or block that keeps the map's size: (N, C, H, W) -> (N, D, H, W), or both channels-last.
        inputs: two or more different maps, in that layout.
        layout: "NCHW" or "NHWC".
        position: row and column of the output position; by default the middle one.
        progress: called after each output channel with (channels done, channels in all).

    Returns:
        The change for each input, and where each input's weights lie.

    Raises:
        AblationError: for fewer than two inputs, or a module that does not keep the map's size.
    """
    if layout not in LAYOUTS:
        raise AblationError(f"layout {layout!r} is not possible. Possible: {', '.join(LAYOUTS)}")
    inputs = as_images(module, inputs)
    if len(inputs) < 2:
        raise AblationError("a change takes two inputs or more")
    sides = inputs.shape[2:] if layout == "NCHW" else inputs.shape[1:3]
    row, column = position or (sides[0] // 2, sides[1] // 2)
    if not (0 <= row < sides[0] and 0 <= column < sides[1]):
        raise AblationError(f"position {(row, column)} lies outside the map of {sides[0]} x {sides[1]}")
    reader = Layout(layout, sides[0], sides[1], inputs.shape[1 if layout == "NCHW" else 3])
    with preserving_state(module):
        x = inputs.clone().requires_grad_()
        output = run(module, x)
        name = type(module).__name__
        if not isinstance(output, Tensor) or output.ndim != 4:
            given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise AblationError(f"{name} puts out a {given}: a map of four dimensions is expected")
        if not output.requires_grad:
            raise AblationError(f"what {name} puts out does not depend on its input: it has no Jacobian")
        output = reader.to_map(output)
        if tuple(output.shape[2:]) != tuple(sides):
            raise AblationError(
                f"{name} turns a map of {sides[0]} x {sides[1]} into one of "
                f"{output.shape[2]} x {output.shape[3]}: a layer that keeps the size is expected"
            )
        # Sums of squares: of the differences (N,), of the mean Jacobian (), at each position (N, H, W).
        shapes: tuple[tuple[int, ...], ...] = ((len(inputs),), (), (len(inputs), *sides))
        apart, mean, weighs = (inputs.new_zeros(shape, dtype=torch.float64) for shape in shapes)
        for channel in range(output.shape[1]):  # by itself, because all of them together fill gigabytes
            (gradient,) = torch.autograd.grad(output[:, channel, row, column].sum(), x, retain_graph=True)
            jacobian = reader.to_map(gradient).double()  # (N, C, H, W)
            average = jacobian.mean(0)
            apart = apart + (jacobian - average).square().sum((1, 2, 3), dtype=torch.float64)
            mean = mean + average.square().sum(dtype=torch.float64)
            weighs = weighs + jacobian.square().sum(1, dtype=torch.float64)
            if progress:
                progress(channel + 1, output.shape[1])
    change, maps = (part.sqrt().cpu().numpy() for part in (apart / mean, weighs))
    return JacobianChange(change, maps)
