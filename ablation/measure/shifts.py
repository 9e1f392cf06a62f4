"""What a shift of the image does to what a network puts out, on a torus, where nothing leaves the image at its edge.

A convolution of stride 1 shifts along with its input. One of stride 2 does so for even shifts only, and a network whose
strides multiply to 32 for multiples of 32: in between it sees other samples (Azulay and Weiss 2018, arXiv 1805.12177;
Zhang 2019, arXiv 1904.11486). With zeros around the image its edge would change too, so here images and padding are periodic.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import AblationError
from .features import run
from .modes import evaluating


def wrapped(module: nn.Module) -> nn.Module:
    """A copy of a network whose convolutions and max-pools pad with the opposite side of the image instead of zeros.

    Args:
        module: left as it is.

    Raises:
        AblationError: if a layer pads otherwise than with zeros, or by name ("same").
    """
    other = copy.deepcopy(module)
    for name, part in list(other.named_modules()):
        if isinstance(part, nn.Conv2d):
            if part.padding_mode != "zeros" or isinstance(part.padding, str):
                raise AblationError(
                    f"layer {name!r} pads with {part.padding_mode}, {part.padding}: only zeros can be replaced"
                )
            part.padding_mode = "circular"
        elif isinstance(part, nn.MaxPool2d):
            pool = _WrappedMaxPool(part)
            if not name:
                return pool
            other.set_submodule(name, pool)
    return other


def shift_error(module: nn.Module, images: Tensor, shifts: Sequence[int]) -> NDArray[np.float64]:
    """How far the output for a shifted image is from that for the image itself.

    Args:
        module: puts out one vector an image, (N, C), such as a network without its classifier; it runs in evaluation mode.
        images: (N, C, H, W), two or more; shifted to the right, what leaves coming in again on the left.
        shifts: in pixels.

    Returns:
        (len(shifts), N): the distance of the two outputs, over the mean distance of the outputs for two different images: 1 is as
        different as another image.

    Raises:
        AblationError: if there is one image only, or the module puts out something else than vectors.
    """
    if len(images) < 2:
        raise AblationError("shift_error compares with the distance of two images: give two or more")
    with evaluating(module), torch.no_grad():
        still = run(module, images)
        if not isinstance(still, Tensor) or still.ndim != 2:
            raise AblationError("shift_error takes a module that puts out a vector for each image, (N, C)")
        apart = torch.pdist(still.double()).mean()
        moved = [run(module, images.roll(shift, dims=-1)) for shift in shifts]
        errors = torch.stack([(out.double() - still.double()).norm(dim=1) / apart for out in moved])
    return np.asarray(errors.cpu().numpy(), dtype=np.float64)


class _WrappedMaxPool(nn.Module):
    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        padding = pool.padding if isinstance(pool.padding, tuple) else (pool.padding, pool.padding)
        self.edges = (padding[1], padding[1], padding[0], padding[0])  # left, right, top, bottom
        self.pool = nn.MaxPool2d(pool.kernel_size, pool.stride, 0, pool.dilation, ceil_mode=pool.ceil_mode)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(F.pad(x, self.edges, mode="circular"))
