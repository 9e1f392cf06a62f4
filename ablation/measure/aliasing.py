"""Aliasing in layers that halve the resolution.

A map of half the resolution can represent frequencies of up to a quarter of a cycle per position of the input map.
Higher frequencies are either averaged out first, or they fold: they appear in the output as a coarser pattern that the
input does not contain (aliasing). This module passes gratings of every frequency through a layer and measures the
energy of the output.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .features import run
from .modes import device_and_dtype, evaluating

FINEST_KEPT = 0.25  # cycles per position of the input map: half the output's sampling rate (its Nyquist frequency)


def zone_plate(size: int) -> Tensor:
    """Return a zone plate, rings that get finer from the centre to the edge: (1, 1, size, size), from -1 to 1.

    At a distance of r positions from the centre, the frequency is r / size cycles per position. At the edges it is half
    a cycle, the highest frequency possible; halfway to the edges it is the highest that half the resolution can
    represent.
    """
    offsets = torch.arange(size) - (size - 1) / 2
    return torch.cos(torch.pi * (offsets[:, None] ** 2 + offsets[None] ** 2) / size)[None, None]


def stripes(frequency: float, shift: float, size: int) -> Tensor:
    """Return a grating of vertical stripes: (1, 1, size, size), from -1 to 1.

    Args:
        frequency: in cycles per position, 0 to 0.5.
        shift: shift to the right, in positions.
        size: side of the map in positions.
    """
    return torch.cos(2 * torch.pi * frequency * (torch.arange(size) - shift)).expand(1, 1, size, size).clone()


def passed_energy(layer: nn.Module, in_chs: int, size: int = 32, draws: int = 4, seed: int = 0) -> NDArray[np.float64]:
    """Return the share of the energy of vertical gratings that a layer passes, by frequency.

    The phase of the grating is drawn independently for each input channel. Each draw is used four times, with all
    phases shifted by 0, 1/4, 1/2 and 3/4 of a turn. The energy of the output is its variance around each channel's mean
    over draws and positions; it is divided by the mean square of the input.

    Args:
        layer: takes (N, in_chs, size, size); it runs in eval mode.
        in_chs: input channels of the layer.
        size: side of the map, an even number; the gratings are periodic over it.
        draws: number of draws of the phases.
        seed: seed of the draws.

    Returns:
        (size // 2,): at the frequencies 1 / size, 2 / size, ..., 1 / 2 cycles per position; see `frequencies`.
    """
    generator = torch.Generator().manual_seed(seed)
    device, dtype = device_and_dtype(layer)
    phases = torch.rand(draws, in_chs, 1, 1, generator=generator)
    # Four quarter turns of each draw, so that the mean and the energy do not depend on the draw.
    phases = torch.cat([phases + turn for turn in (0, 0.25, 0.5, 0.75)])
    energies = []
    with evaluating(layer), torch.no_grad():
        for frequency in frequencies(size):
            grating = torch.cos(2 * torch.pi * (float(frequency) * torch.arange(size) + phases)).expand(
                -1, -1, size, -1
            )
            output = run(layer, grating.to(device=device, dtype=dtype)).double()
            energies.append((output.var((0, 2, 3), unbiased=False).mean() / grating.double().square().mean()).item())
    return np.array(energies)


def frequencies(size: int) -> NDArray[np.float64]:
    """Return the frequencies of the gratings in `passed_energy`, in cycles per position."""
    return np.arange(1, size // 2 + 1) / size


def folded_share(energy: NDArray[np.float64]) -> float:
    """Return the share of the energy from `passed_energy` that is above `FINEST_KEPT`, and so folds."""
    above = frequencies(2 * len(energy)) > FINEST_KEPT
    return float(energy[above].sum() / energy.sum())
