"""The options of `ablation rates`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..design.roadmap import STARTS
from . import parameters as given
from .help_sections import one_of
from .options import StudyOptions


def rates(
    context: typer.Context,
    data: Annotated[str, typer.Option("--data", help="Data set with held-out images, such as digits#500+500.")],
    recipe: given.RecipeName = "micro",
    every_row: Annotated[
        bool, typer.Option("--every-row", help="Compare rates for each row of the ladder, instead of three networks.")
    ] = False,
    original: Annotated[str, typer.Option(help="Rates of the original recipe, such as 0.01,0.02.")] = "",
    modern: Annotated[str, typer.Option(help="Rates of the modern recipe.")] = "",
    epochs: given.Epochs = None,
    seeds: Annotated[int, typer.Option(help="Number of seeds per rate, with --every-row.")] = 1,
    start: Annotated[str, typer.Option(help=f"Ladder of --every-row: {one_of(STARTS)}.")] = "resnet50",
    label: given.Label = "",
    out: given.Figures = Path("figures"),
    store: given.StoreFolder = given.STORE,
    workers: given.Workers = None,
    device: given.Device = "auto",
    precision: given.Precision = "auto",
) -> None:
    """Compare learning rates on held-out training images; write figures/rates-DATA.png and .csv.

    With --every-row, each row of the ladder at its own rates, as figures/rates-DATA-rows.png and .csv for roadmap --rates.
    """
    where = (label, out, store, workers)
    options = StudyOptions(data, recipe, seeds, start, *where, device=device, precision=precision)
    if every_row:
        from .compare_row_rates import compare_row_rates

        compare_row_rates(original, modern, epochs, options)
    else:
        from .compare_rates import compare_rates

        given.refuse_options(context, ["seeds", "start"], "is for --every-row")
        compare_rates(original, modern, epochs, options)
