"""`ablation see --what signal`: what the branches of a ladder pass on at initialisation, at full width and at less."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path

import pandas as pd
import torch
from rich.console import Console
from torch import Tensor

from ..design.architecture import Architecture
from ..environment import describe_environment
from ..measure.norms import take_statistics
from ..measure.receptive_field import open_branches
from ..measure.signal import Signal, signals
from .console import track_steps, write_figure

DIVISOR = 4  # that of the ladder on small photographs
_SEED = 0


def measure_signals(
    networks: Sequence[tuple[str, Architecture]], images: Tensor, label: str, out: Path, console: Console
) -> None:
    """Compare each network with one of a quarter of the width, without and with weights that carry the gain.

    Args:
        networks: title and description of each.
        images: (N, 3, H, W), normalised.
        label: label of the figure's name.
        out: folder for the figure and its numbers.
        console: console for progress.
    """
    from ..show.signal_plot import CARRIED, FULL, NARROW, plot_signals, relative

    gains, rows = {}, []
    with track_steps(console, "signals", len(networks)) as end_step:
        for title, full in networks:
            narrow = full.replace(width=max(1, full.width // DIVISOR))
            factor = sqrt(full.width / narrow.width)
            versions = {FULL: (full, 1.0), NARROW: (narrow, 1.0), CARRIED: (narrow, factor)}
            found = {kind: _branches(*version, images) for kind, version in versions.items()}
            gains[title] = {kind: [branch.gain for branch in branches] for kind, branches in found.items()}
            rows += [
                {
                    "title": title,
                    "kind": kind,
                    "width": versions[kind][0].width,
                    "init_gain": versions[kind][1],
                    "order": i,
                    "name": branch.name,
                    "spread_in": branch.spread_in,
                    "spread_out": branch.spread_out,
                    "gain": branch.gain,
                }
                for kind, branches in found.items()
                for i, branch in enumerate(branches, start=1)
            ]
            shares = [relative(gains[title], kind) for kind in (NARROW, CARRIED)]
            end_step(
                f"{title:28} {shares[0]:.2f} of full width's gain; with weights times {factor:.3g}, {shares[1]:.2f}"
            )
    table = pd.DataFrame(rows).assign(size=images.shape[-1], images=len(images), weights=f"random, seed {_SEED}")
    figure = plot_signals(gains, DIVISOR, sqrt(DIVISOR))
    write_figure(out / f"signal-{label}", figure, table.assign(**describe_environment(images.device.type)), console)


def _branches(architecture: Architecture, init_gain: float, images: Tensor) -> tuple[Signal, ...]:
    from ..network import build
    from ..network.inplace import InplaceSequential

    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        network = build(architecture, init_gain=init_gain).to(images.device)
    take_statistics(open_branches(network), images)
    return tuple(found for found in signals(network, images, (InplaceSequential,)) if found.name.endswith(".branch"))
