"""What a layer that halves the resolution makes of fine detail.

A map of half the resolution can hold frequencies of up to a quarter of a cycle for each position of the map before it. What is
finer either is averaged away first, or folds: it comes out as a coarser pattern that was not there (aliasing). Here
gratings of every frequency go through a layer, and the energy that comes out is measured.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .features import run
from .modes import device_and_dtype, evaluating

FINEST_KEPT = 0.25  # cycles a position: half of the new sampling rate, told in positions of the old one


def zone_plate(size: int) -> Tensor:
    """Rings that get finer from the middle to the edge: (1, 1, size, size) from -1 to 1.

    At a distance of r positions from the middle there are r / size cycles a position: at the edges half of one, the finest there
    is, and halfway there the finest that half the resolution can hold.
    """
    at = torch.arange(size) - (size - 1) / 2
    return torch.cos(torch.pi * (at[:, None] ** 2 + at[None] ** 2) / size)[None, None]


def stripes(frequency: float, shift: float, size: int) -> Tensor:
    """An upright grating: (1, 1, size, size) from -1 to 1.

    Args:
        frequency: in cycles a position, 0 to 0.5.
        shift: to the right, in positions.
        size: side in positions.
    """
    return torch.cos(2 * torch.pi * frequency * (torch.arange(size) - shift)).expand(1, 1, size, size).clone()


def passed_energy(layer: nn.Module, in_chs: int, size: int = 32, draws: int = 4, seed: int = 0) -> NDArray[np.float64]:
    """The energy that a layer passes of upright gratings, by frequency.

    Each input channel gets the grating in a phase of its own, drawn anew, and all in four quarter turns. Energy is the mean
    square of what comes out, about each output channel's mean over draws and positions, over that of what went in.

    Args:
        layer: takes (N, in_chs, size, size); it runs in evaluation mode.
        in_chs: channels it takes.
        size: side of the map, even; gratings repeat over it.
        draws: of phases.
        seed: of the draws.

    Returns:
        (size // 2,): at the frequencies 1 / size, 2 / size, ..., 1 / 2 cycles a position; see `frequencies`.
    """
    generator = torch.Generator().manual_seed(seed)
    device, dtype = device_and_dtype(layer)
    phases = torch.rand(draws, in_chs, 1, 1, generator=generator)
    phases = torch.cat(
        [phases + turn for turn in (0, 0.25, 0.5, 0.75)]
    )  # so that mean and energy do not hang on the draw
    found = []
    with evaluating(layer), torch.no_grad():
        for frequency in frequencies(size):
            grating = torch.cos(2 * torch.pi * (float(frequency) * torch.arange(size) + phases)).expand(
                -1, -1, size, -1
            )
            out = run(layer, grating.to(device=device, dtype=dtype)).double()
            found.append((out.var((0, 2, 3), unbiased=False).mean() / grating.double().square().mean()).item())
    return np.array(found)


def frequencies(size: int) -> NDArray[np.float64]:
    """Of the gratings of `passed_energy`, in cycles a position."""
    return np.arange(1, size // 2 + 1) / size


def folded_share(energy: NDArray[np.float64]) -> float:
    """The share of what `passed_energy` found that lies above the finest frequency that half the resolution can hold."""
    at = frequencies(2 * len(energy))
    return float(energy[at > FINEST_KEPT].sum() / energy.sum())
