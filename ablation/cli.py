"""The `ablation` command: a thin door to the library. Torch loads only in the commands that need it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

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
    str,
    typer.Option(
        "--data", help="Data set: digits, longrange, or imagefolder:PATH with train/ and val/. NAME#1000: part of it."
    ),
]
RecipeName = Annotated[str, typer.Option("--recipe", help="Recipe family: micro, small32 or paper.")]
Figures = Annotated[Path, typer.Option("--out", help="Folder for the figures and their numbers.")]
Model = Annotated[
    Optional[str], typer.Option("--model", help="A model of timm by name, such as swin_tiny_patch4_window7_224.")
]
Weights = Annotated[
    Optional[Path], typer.Option("--weights", help="A file of weights: ours, or with --model that model's.")
]
Pretrained = Annotated[bool, typer.Option("--pretrained", help="Download timm's weights for --model.")]
StoreFolder = Annotated[Path, typer.Option("--store", help="Folder that keeps outcomes and weights.")]
Called = Annotated[str, typer.Option("--called", help="What tables and figures call the data; by default its name.")]
EngineName = Annotated[str, typer.Option("--engine", help="Where trials run: local, or ray for a Ray cluster.")]
Address = Annotated[
    Optional[str],
    typer.Option("--address", help="HOST:PORT of the Ray cluster, or auto; by default one is started here."),
]
Cpus = Annotated[Optional[float], typer.Option("--cpus", help="CPUs, and threads, of each trial on Ray; by default 1.")]
Gpus = Annotated[Optional[float], typer.Option("--gpus", help="Share of a GPU of each trial on Ray; by default 0.")]


def main() -> None:
    """Run the command; a mistake in what was asked for is one message and exit code 2."""
    try:
        app()
    except AblationError as error:
        print(f"ablation: {error}", file=sys.stderr)
        sys.exit(_BAD_INPUT)


def _where(engine: str, address: str | None, cpus: float | None, gpus: float | None) -> dict[str, Any]:
    """The engine and those of its options that were given, as `Study` takes them."""
    options = {"address": address, "cpus": cpus, "gpus": gpus}
    return {"engine": engine, **{name: value for name, value in options.items() if value is not None}}


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
    timing: Annotated[bool, typer.Option("--timing", help="Time each network on this machine as well.")] = False,
    batch: Annotated[int, typer.Option(help="Images in a timed call.")] = 8,
    step: Annotated[str, typer.Option(help="What to time: forward or training.")] = "forward",
    memory_format: Annotated[str, typer.Option(help="NCHW or channels-last.")] = "channels-last",
    precision: Annotated[str, typer.Option(help="fp32 or bf16.")] = "fp32",
    compiled: Annotated[bool, typer.Option("--compiled", help="Time through torch.compile.")] = False,
    out: Figures = Path("figures"),
) -> None:
    """Parameters, MACs and receptive fields: both ladders beside the paper, or a road of your own. With --timing, seconds too."""
    if timing:
        from .jobs.timing import time_ladder

        time_ladder(steps or [], start, size, batch, step, memory_format, precision, compiled, out)
        return
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
    called: Called = "",
    out: Figures = Path("figures"),
    store: StoreFolder = Path("runs"),
    workers: Annotated[
        Optional[int], typer.Option(help="Trials at a time; by default as many as there is room for.")
    ] = None,
    engine: EngineName = "local",
    address: Address = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
) -> None:
    """Train every rung of the ladder, print the table, write figures/roadmap-DATA.png and .csv. What is done is not repeated."""
    from .jobs.training import train_ladder

    train_ladder(data, recipe, seeds, start, called, out, store, workers, _where(engine, address, cpus, gpus))


@app.command()
def train(
    steps: Steps = None,
    start: Annotated[str, typer.Option(help="ResNet to start from: resnet50 or resnet200.")] = "resnet50",
    rung: Annotated[
        Optional[str], typer.Option(help="A rung of the ladder by name, such as depthwise, instead of steps.")
    ] = None,
    model: Model = None,
    data: DataName = "digits",
    recipe: RecipeName = "micro",
    seed: Annotated[int, typer.Option(help="Seed, 0 or more.")] = 0,
    precision: Annotated[str, typer.Option(help="no (float32) or bf16.")] = "no",
    accumulate: Annotated[int, typer.Option(help="Parts in which each process takes its share of a batch.")] = 1,
    store: StoreFolder = Path("runs"),
) -> None:
    """Train one network: steps, a rung or a model of timm. Under torchrun or accelerate launch, on every device of the group."""
    from .jobs.training import train_one

    train_one(steps or [], start, rung, model, data, recipe, seed, precision, accumulate, store)


@app.command()
def evaluate(
    model: Model = None,
    weights: Weights = None,
    pretrained: Pretrained = False,
    data: DataName = "digits",
    recipe: RecipeName = "micro",
) -> None:
    """Score a network on the test images of a data set, each image once: trained weights, or a model of timm."""
    from .jobs.evaluating import evaluate_network

    evaluate_network(model, weights, pretrained, data, recipe)


@app.command()
def study(
    design: Annotated[
        str, typer.Argument(help="ladder, leave-one-out, one-at-a-time, factorial or orderings.", show_default=False)
    ],
    steps: Annotated[
        Optional[list[str]], typer.Argument(help="Steps that are varied; by default those that the paper kept.")
    ] = None,
    data: DataName = "digits",
    recipe: RecipeName = "micro",
    seeds: Annotated[int, typer.Option(help="How many seeds to train each network from.")] = 3,
    start: Annotated[str, typer.Option(help="ResNet to start from: resnet50 or resnet200.")] = "resnet50",
    count: Annotated[int, typer.Option(help="How many random orderings.")] = 20,
    out: Figures = Path("figures"),
    store: StoreFolder = Path("runs"),
    workers: Annotated[
        Optional[int], typer.Option(help="Trials at a time; by default as many as there is room for.")
    ] = None,
    engine: EngineName = "local",
    address: Address = None,
    cpus: Cpus = None,
    gpus: Gpus = None,
) -> None:
    """Train every network of a design; print effects, interactions and Shapley values. What is done is not repeated."""
    from .jobs.studying import run_design

    where = _where(engine, address, cpus, gpus)
    run_design(design, steps or [], data, recipe, seeds, start, count, out, store, workers, where)


@app.command()
def rates(
    data: Annotated[str, typer.Option("--data", help="Data set with held-out images, such as digits#500+500.")],
    recipe: RecipeName = "micro",
    original: Annotated[str, typer.Option(help="Rates of the original recipe, such as 0.01,0.02.")] = "",
    modern: Annotated[str, typer.Option(help="Rates of the modern recipe.")] = "",
    epochs: Annotated[Optional[int], typer.Option(help="Of each trial; by default as the recipe has.")] = None,
    called: Called = "",
    out: Figures = Path("figures"),
    store: StoreFolder = Path("runs"),
    workers: Annotated[Optional[int], typer.Option(help="Processes at a time; by default one per core.")] = None,
) -> None:
    """Compare learning rates on held-out training images; write figures/rates-DATA.png and .csv."""
    from .jobs.studying import compare_rates

    compare_rates(data, recipe, original, modern, epochs, called, out, store, workers)


@app.command()
def status(store: StoreFolder = Path("runs")) -> None:
    """Where a store stands: done, running, failed and why."""
    from .jobs.stores import say_status

    say_status(store)


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="The CSV file to write.")], store: StoreFolder = Path("runs")
) -> None:
    """Write every trial of a store as a row of a CSV file."""
    from .jobs.stores import export_rows

    export_rows(store, file)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file that `ablation export` wrote.")],
    store: StoreFolder = Path("runs"),
) -> None:
    """Take the outcomes of an exported file into a store: a study goes on with what another machine has done."""
    from .jobs.stores import import_rows

    import_rows(store, file)


@app.command()
def see(
    steps: Steps = None,
    what: Annotated[
        str,
        typer.Option(
            help="fields: receptive fields; norms: what each norm gets; weights: static against dynamic weights."
        ),
    ] = "fields",
    start: Annotated[str, typer.Option(help="ResNet to start from: resnet50 or resnet200.")] = "resnet50",
    model: Model = None,
    weights: Weights = None,
    pretrained: Pretrained = False,
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 512,
    images: Annotated[
        Optional[Path],
        typer.Option(help="A folder of images; by default eight photographs of scikit-image and scikit-learn."),
    ] = None,
    out: Figures = Path("figures"),
) -> None:
    """Look inside: receptive fields along the ladder, along a road of your own, or of one network."""
    from .jobs.seeing import see as look

    look(what, steps or [], start, model, weights, pretrained, size, images, out)


@app.command()
def attribute(
    images: Annotated[
        Optional[list[Path]],
        typer.Argument(
            help="Image files or folders of them; none: test images of --data, on every rung trained in --store."
        ),
    ] = None,
    model: Model = None,
    weights: Weights = None,
    pretrained: Pretrained = False,
    method: Annotated[
        Optional[list[str]], typer.Option(help="Method, may be given several times; by default five of them.")
    ] = None,
    target: Annotated[
        Optional[int], typer.Option(help="Class; by default the one that the network puts first.")
    ] = None,
    size: Annotated[
        Optional[int], typer.Option(help="Side of the images in pixels; by default the network's own.")
    ] = None,
    data: DataName = "digits",
    recipe: RecipeName = "micro",
    start: Annotated[str, typer.Option(help="Ladder: resnet50 or resnet200.")] = "resnet50",
    store: StoreFolder = Path("runs"),
    count: Annotated[int, typer.Option(help="How many test images, where none are given.")] = 16,
    out: Figures = Path("figures"),
) -> None:
    """Which pixels a network's answer rests on, and whether to believe it."""
    from .jobs.attributing import DEFAULT_METHODS, attribute_images, attribute_ladder

    if images:
        attribute_images(images, model, weights, pretrained, method or DEFAULT_METHODS, target, size, out)
    else:
        attribute_ladder(data, recipe, start, store, count, out)


@app.command()
def explore(
    port: Annotated[int, typer.Option(help="Port of the page on this machine.")] = 8866,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Open the explorer: switch the paper's steps by hand in a page that only this machine can reach. Ctrl-C ends it."""
    from .jobs.exploring import explore as serve

    serve(port, browser)
