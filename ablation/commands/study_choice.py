"""`ablation study`, as the command line gives it: a ladder, a design of steps, or a grid."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import typer

from ..errors import AblationError
from .grid_axes import parse_axes
from .options import StudyOptions
from .parameters import refuse_options
from .run_study import GRID, run_study


def study_chosen(
    context: typer.Context,
    design: str,
    steps: Sequence[str],
    count: int,
    axes: tuple[str | None, str | None, str | None],
    options: StudyOptions,
) -> None:
    """Run a study; refuse the options of other designs than its own.

    Args:
        context: context of the command.
        design: name of the design.
        steps: steps that are varied; empty for those that the paper kept.
        count: number of random orders, for the design "orderings".
        axes: --images, --sizes and --epochs as they are given, or None. Only a grid takes more than a number of epochs.
        options: options of the study, without the epochs.
    """
    if design != "orderings":
        refuse_options(context, ["count"], "is for the design orderings")
    if design != GRID:
        refuse_options(context, ["images", "sizes"], f"is for the design {GRID}")
    parsed = parse_axes(*axes)
    if design == GRID:
        refuse_options(context, ["rates"], "is for the design ladder")
        from .run_grid import run_grid

        run_grid(steps, parsed, options)
        return
    if len(parsed.epochs) > 1:
        raise AblationError(f"--epochs {axes[2]}: several numbers of epochs are for the design {GRID}; give one")
    if parsed.epochs:
        changes = dataclasses.replace(options.changes, epochs=parsed.epochs[0])
        options = dataclasses.replace(options, changes=changes)
    run_study(design, list(steps), count, options)
