"""The `ablation` command: a thin door to the library. Torch loads only in the commands that need it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from .errors import AblationError, unknown
from .version import __version__

app = typer.Typer(
    help="The ConvNeXt paper's road from ResNet-50 to ConvNeXt-T: build, count and train every step.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_BAD_INPUT = 2

Steps = Annotated[
    Optional[list[str]], typer.Argument(help="Steps to take, such as: patchify_stem depthwise kernel_size=7")
]
DataName = Annotated[
    str, typer.Option("--data", help="Data set: digits, or imagefolder:PATH with train/ and val/ in it.")
]
RecipeName = Annotated[str, typer.Option("--recipe", help="Recipe family: micro or paper.")]
StoreFolder = Annotated[Path, typer.Option("--store", help="Folder that keeps outcomes and weights.")]


def main() -> None:
    """Run the command; a mistake in what was asked for is one message and exit code 2."""
    try:
        app()
    except AblationError as error:
        print(f"ablation: {error}", file=sys.stderr)
        sys.exit(_BAD_INPUT)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def profile(
    steps: Steps = None,
    start: Annotated[str, typer.Option(help="ResNet to start from: resnet50 or resnet200.")] = "resnet50",
    size: Annotated[int, typer.Option(help="Side of the image in pixels.")] = 224,
) -> None:
    """Parameters, MACs and receptive fields, without training: both ladders beside the paper, or a road of your own."""
    from rich.console import Console

    from .design import roadmap as roads
    from .design.published import SWIN
    from .show.tables import disagreements, profile_table

    console = Console(width=None if sys.stdout.isatty() else 120)
    if steps:
        console.print(profile_table(f"A road from {start}, {size} px", roads.road(steps, start), size))
        return
    ladders = {name: roads.roadmap(name) for name in ("resnet50", "resnet200")}
    if start not in ladders:
        raise unknown("roadmap", start, ladders)
    for (name, rungs), (reference, paper) in zip(ladders.items(), SWIN.items(), strict=True):
        console.print(profile_table(f"{name} ladder, {size} px, 1000 classes", rungs, size))
        for line in disagreements(rungs) if size == 224 else ():
            console.print(line, soft_wrap=True, highlight=False)
        console.print(
            f"For reference, timm's {reference}: paper {paper.gflops:.2f} G, top-1 {paper.accuracy:.2f}",
            highlight=False,
        )
        console.print()
    console.print(
        "MACs are multiply-accumulates of convolutions and linear layers, what the paper calls FLOPs. "
        "Paper: Liu et al. 2022, arXiv 2201.03545, Tables 10 and 11.",
        soft_wrap=True,
    )


@app.command()
def roadmap(
    data: DataName = "digits",
    recipe: RecipeName = "micro",
    seeds: Annotated[int, typer.Option(help="How many seeds to train each rung from.")] = 3,
    start: Annotated[str, typer.Option(help="Ladder: resnet50 or resnet200.")] = "resnet50",
    out: Annotated[Path, typer.Option(help="Folder for the figure and its numbers.")] = Path("figures"),
    store: StoreFolder = Path("runs"),
    workers: Annotated[Optional[int], typer.Option(help="Processes at a time; by default one per core.")] = None,
) -> None:
    """Train every rung of the ladder, print the table, write figures/roadmap-DATA.png and .csv. What is done is not repeated."""
    from .jobs import train_ladder

    train_ladder(data, recipe, seeds, start, out, store, workers)


@app.command()
def train(
    steps: Steps = None,
    start: Annotated[str, typer.Option(help="ResNet to start from: resnet50 or resnet200.")] = "resnet50",
    rung: Annotated[
        Optional[str], typer.Option(help="A rung of the ladder by name, such as depthwise, instead of steps.")
    ] = None,
    data: DataName = "digits",
    recipe: RecipeName = "micro",
    seed: Annotated[int, typer.Option(help="Seed, 0 or more.")] = 0,
    precision: Annotated[str, typer.Option(help="no (float32) or bf16.")] = "no",
    accumulate: Annotated[int, typer.Option(help="Parts in which each process takes its share of a batch.")] = 1,
    store: StoreFolder = Path("runs"),
) -> None:
    """Train one network. Under torchrun or accelerate launch, on every device of the group."""
    from .jobs import train_one

    train_one(steps or [], start, rung, data, recipe, seed, precision, accumulate, store)


@app.command()
def evaluate(
    weights: Annotated[Path, typer.Argument(help="A file of weights that ablation wrote.")],
    data: DataName = "digits",
    recipe: RecipeName = "micro",
) -> None:
    """Score trained weights on the test images of a data set, each image once."""
    from .jobs import evaluate_weights

    evaluate_weights(weights, data, recipe)
