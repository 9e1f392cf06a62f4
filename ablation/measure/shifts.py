"""Sensitivity of a network's output to shifts of the image, with periodic images and padding.

The output of a convolution with stride 1 shifts with its input. With stride 2 this holds for even shifts only, and in a
network with a total stride of 32 only for multiples of 32: other shifts sample different positions (Azulay and Weiss
2018, arXiv 1805.12177; Zhang 2019, arXiv 1904.11486). With zero padding, a shift would also change the values at the
edge of the image, so images and padding are periodic here.
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
    """Return a copy of a network whose convolutions and max-pools use circular padding instead of zero padding.

    Args:
        module: the network; it is not changed.

    Raises:
        AblationError: if the padding of a layer is not zero padding, or is given by name ("same").
    """
    network = copy.deepcopy(module)
    for name, part in list(network.named_modules()):
        if isinstance(part, nn.Conv2d):
            if part.padding_mode != "zeros" or isinstance(part.padding, str):
                raise AblationError(
                    f"layer {name!r} uses {part.padding_mode} padding of {part.padding}: only zero padding given as numbers "
                    "can be made circular"
                )
            part.padding_mode = "circular"
        elif isinstance(part, nn.MaxPool2d):
            pool = _CircularMaxPool(part)
            if not name:
                return pool
            network.set_submodule(name, pool)
    return network


def shift_error(module: nn.Module, images: Tensor, shifts: Sequence[int]) -> NDArray[np.float64]:
    """Compute the distance between the outputs for shifted images and for the images themselves.

    Args:
        module: outputs one vector per image, (N, C), such as a network without its classifier; it runs in eval mode.
        images: (N, C, H, W), two or more; they are shifted cyclically to the right.
        shifts: shifts in pixels.

    Returns:
        (len(shifts), N): the distance between the two outputs, divided by the mean distance between the outputs for two
        different images. A value of 1 means as different as another image.

    Raises:
        AblationError: if there is only one image, or the module does not output vectors.
    """
    if len(images) < 2:
        raise AblationError("shift_error needs two or more images: it compares with the distance between images")
    with evaluating(module), torch.no_grad():
        reference = run(module, images)
        if not isinstance(reference, Tensor) or reference.ndim != 2:
            raise AblationError("shift_error needs a module that outputs one vector per image, (N, C)")
        distance = torch.pdist(reference.double()).mean()
        outputs = [run(module, images.roll(shift, dims=-1)) for shift in shifts]
        errors = torch.stack([(output.double() - reference.double()).norm(dim=1) / distance for output in outputs])
    return np.asarray(errors.cpu().numpy(), dtype=np.float64)


class _CircularMaxPool(nn.Module):
    """Max-pooling with circular padding."""

    def __init__(self, pool: nn.MaxPool2d) -> None:
        super().__init__()
        padding = pool.padding if isinstance(pool.padding, tuple) else (pool.padding, pool.padding)
        self.edges = (padding[1], padding[1], padding[0], padding[0])  # left, right, top, bottom
        self.pool = nn.MaxPool2d(pool.kernel_size, pool.stride, 0, pool.dilation, ceil_mode=pool.ceil_mode)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(F.pad(x, self.edges, mode="circular"))
