"""`ablation profile`: parameters, MACs and receptive fields of both ladders, compared with the paper, or of a custom road."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from ..design import roadmap as roads
from ..design.published import SWIN
from ..errors import unknown
from ..show.tables import disagreements, profile_table
from .console import make_console, say
from .options import TimingOptions
from .parameters import refuse_options

_TIMED = ("batch", "step", "memory_format", "precision", "compiled", "out")


def profile_chosen(
    context: typer.Context,
    steps: Sequence[str],
    start: str,
    timed: tuple[Any, ...],
    out: Path,
    timing: bool,
    reconcile: str | None,
) -> None:
    """Time networks, or print their cost and refuse the options of timing.

    Args:
        context: context of the command.
        steps, start, reconcile: as for `profile`.
        timed: values of `TimingOptions`, of which the first is the size.
        out: folder for the figure of a timing.
        timing: whether to time.
    """
    if timing and reconcile is None:
        from .profile_timing import time_ladder

        time_ladder(list(steps), start, TimingOptions(*timed), out)
    else:
        refuse_options(context, _TIMED, "is for --timing: nothing is timed or written without it")
        profile(steps, start, timed[0], reconcile, timing)


def profile(steps: Sequence[str], start: str, size: int, reconcile: str | None = None, timing: bool = False) -> None:
    """Print the cost of the networks of a road, of both ladders, or of one network under several conventions.

    Args:
        steps: steps of a road; empty for both ladders of the paper.
        start: "resnet50" or "resnet200".
        size: side of the images in pixels.
        reconcile: the one network whose count is explained, or None.
        timing: whether a timing was asked for as well, which is refused.
    """
    if reconcile is not None:
        from .profile_reconcile import reconcile_network

        reconcile_network(reconcile, steps, start, size, timing)
        return
    console = make_console()
    if steps:
        console.print(profile_table(f"A road from {start}, {size} px", roads.road(steps, start), size))
        return
    ladders = {name: roads.roadmap(name) for name in ("resnet50", "resnet200")}
    if start not in ladders:
        raise unknown("roadmap", start, ladders)
    for (name, rungs), (reference, paper) in zip(ladders.items(), SWIN.items(), strict=True):
        console.print(profile_table(f"{name} ladder, {size} px, 1000 classes", rungs, size))
        for line in disagreements(rungs) if size == 224 else ():
            say(console, line)
        say(
            console,
            f"For reference, timm's {reference}: paper {paper.gflops:.2f} G, top-1 {paper.accuracy:.2f}",
        )
        console.print()
    say(
        console,
        "MACs are multiply-accumulates of convolutions and linear layers, which the paper calls FLOPs. "
        "Paper: Liu et al. 2022, arXiv 2201.03545, Tables 10 and 11.",
    )
