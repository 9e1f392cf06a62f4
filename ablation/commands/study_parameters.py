"""Arguments and options of `ablation study` alone."""

from __future__ import annotations

from typing import Annotated

import typer

from .help_sections import RECIPE

DesignName = Annotated[
    str, typer.Argument(help="ladder, leave-one-out, one-at-a-time, factorial, orderings or grid.", show_default=False)
]
VariedSteps = Annotated[
    list[str] | None,
    typer.Argument(
        help="Steps that are varied; by default those that the paper kept. A grid takes rows of the ladder by name, such as "
        "layer_norm; depthwise+widen are two steps taken together."
    ),
]
Images = Annotated[
    str | None,
    typer.Option(
        "--images", help="Numbers of training images for a grid, such as 1000,10000,all.", rich_help_panel=RECIPE
    ),
]
Sizes = Annotated[
    str | None,
    typer.Option(
        "--sizes",
        help="Sides of the images in pixels for a grid, such as 128,224, where the recipe sets the size.",
        rich_help_panel=RECIPE,
    ),
]
Epochs = Annotated[
    str | None,
    typer.Option(
        "--epochs",
        help="Passes over the training images, or several numbers for a grid, such as 10,30; warm-up and decay are scaled in "
        "proportion. By default, those of the recipe.",
        rich_help_panel=RECIPE,
    ),
]
