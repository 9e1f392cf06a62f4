"""The `ablation` command line: parses options and calls `ablation.commands`. Only commands that need torch import it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from .commands import parameters as given
from .commands import study_parameters as own
from .commands.door import run_command
from .commands.help_sections import SectionedCommand, SectionedGroup, one_of
from .commands.options import MEMORY_FORMATS, PRECISIONS, STEPS, NetworkOptions, StudyOptions, recipe_changes
from .commands.parameters import given_options, refuse_options
from .commands.rates_command import rates as rates_command
from .version import __version__

app = typer.Typer(
    help="The ConvNeXt paper's road from ResNet-50 to ConvNeXt-T: build, count and train every step.",
    cls=SectionedGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """Run the command line. Invalid input prints one message and exits with code 2."""
    run_command(app)


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command(cls=SectionedCommand)
def profile(
    context: typer.Context,
    steps: given.Steps = None,
    start: given.Start = "resnet50",
    size: Annotated[int, typer.Option(help="Side of the images in pixels.")] = 224,
    timing: Annotated[bool, typer.Option("--timing", help="Time each network on this machine as well.")] = False,
    batch: Annotated[int, typer.Option(help="Images per timed call.")] = 8,
    step: Annotated[str, typer.Option(help=f"What to time: {one_of(STEPS)}.")] = "forward",
    memory_format: Annotated[str, typer.Option(help=f"{one_of(MEMORY_FORMATS)}.")] = "channels-last",
    precision: Annotated[str, typer.Option(help=f"{one_of(PRECISIONS)}.")] = "fp32",
    compiled: Annotated[bool, typer.Option("--compiled", help="Time through torch.compile.")] = False,
    reconcile: given.Reconcile = None,
    out: given.Figures = Path("figures"),
) -> None:
    """Print parameters, MACs and receptive fields of both ladders, compared with the paper, or of a custom road."""
    from .commands.profile import profile_chosen

    timed = (size, batch, step, memory_format, precision, compiled)
    profile_chosen(context, steps or [], start, timed, out, timing, reconcile)


@app.command(cls=SectionedCommand)
def roadmap(
    data: given.DataName = "digits",
    recipe: given.RecipeName = "micro",
    seeds: given.Seeds = 3,
    start: given.Start = "resnet50",
    epochs: given.Epochs = None,
    batch_size: given.StudyBatchSize = None,
    drop_path: given.DropPath = None,
    ema: given.Ema = None,
    init_gain: given.InitGain = None,
    rates: given.RatesFile = None,
    label: given.Label = "",
    out: given.Figures = Path("figures"),
    store: given.StoreFolder = given.STORE,
    workers: given.Workers = None,
    engine: given.EngineName = "local",
    address: given.Address = None,
    cpus: given.Cpus = None,
    gpus: given.Gpus = None,
    device: given.Device = "auto",
    precision: given.Precision = "auto",
) -> None:
    """Train every rung of the ladder, print the table, write figures/roadmap-DATA.png and .csv. Resumes where it stopped."""
    from .commands.run_roadmap import run_roadmap

    changes = recipe_changes(epochs, None, batch_size, drop_path, ema, init_gain)
    common = (data, recipe, seeds, start, label, out, store, workers, engine)
    engine_options = given_options(address=address, cpus=cpus, gpus=gpus)
    run_roadmap(StudyOptions(*common, engine_options, changes, device=device, precision=precision, rates=rates))


@app.command(cls=SectionedCommand)
def train(
    context: typer.Context,
    steps: given.Steps = None,
    start: given.Start = "resnet50",
    rung: given.RungName = None,
    model: given.Model = None,
    data: given.DataName = "digits",
    recipe: given.RecipeName = "micro",
    seed: given.Seed = 0,
    epochs: given.Epochs = None,
    lr: given.Rate = None,
    batch_size: given.BatchSize = None,
    drop_path: given.DropPath = None,
    ema: given.Ema = None,
    init_gain: given.InitGain = None,
    init_from: given.InitFrom = None,
    device: given.Device = "auto",
    precision: given.Precision = "auto",
    accumulate: given.Accumulate = 1,
    workers: given.LoaderWorkers = None,
    compiled: given.Compile = False,
    validate_every: given.ValidateEvery = 0,
    log_with: given.LogWith = None,
    store: given.StoreFolder = given.STORE,
) -> None:
    """Train one network: steps, a rung or a timm model. Under torchrun or accelerate launch, on all devices of the group."""
    from .commands.train import TrainOptions
    from .commands.train import train as train_network

    if model is not None:
        refuse_options(context, ["start"], "is for steps and --rung, not for --model")
    chosen = (tuple(steps or ()), start, rung, model, data, recipe, seed, precision, accumulate, store)
    changes = recipe_changes(epochs, lr, batch_size, drop_path, ema, init_gain)
    options = TrainOptions(*chosen, changes, init_from, workers, compiled, log_with or "", device, validate_every)
    train_network(options)


@app.command(cls=SectionedCommand)
def evaluate(
    model: given.Model = None,
    weights: given.Weights = None,
    pretrained: given.Pretrained = False,
    data: given.DataName = "digits",
    recipe: given.RecipeName = "micro",
    class_order: given.ClassOrder = None,
    averaged: given.Averaged = True,
    device: given.Device = "auto",
) -> None:
    """Evaluate a network on the test images of a data set: trained weights, or a timm model."""
    from .commands.evaluate import evaluate as evaluate_network

    evaluate_network(NetworkOptions(model, weights, pretrained, averaged), data, recipe, class_order, device)


@app.command(cls=SectionedCommand)
def study(
    context: typer.Context,
    design: own.DesignName,
    steps: own.VariedSteps = None,
    data: given.DataName = "digits",
    recipe: given.RecipeName = "micro",
    seeds: given.Seeds = 3,
    start: given.Start = "resnet50",
    count: Annotated[int, typer.Option(help="Number of random orderings.")] = 20,
    images: own.Images = None,
    sizes: own.Sizes = None,
    epochs: own.Epochs = None,
    batch_size: given.StudyBatchSize = None,
    drop_path: given.DropPath = None,
    ema: given.Ema = None,
    init_gain: given.InitGain = None,
    rates: given.RatesFile = None,
    label: given.Label = "",
    out: given.Figures = Path("figures"),
    store: given.StoreFolder = given.STORE,
    workers: given.Workers = None,
    engine: given.EngineName = "local",
    address: given.Address = None,
    cpus: given.Cpus = None,
    gpus: given.Gpus = None,
    device: given.Device = "auto",
    precision: given.Precision = "auto",
) -> None:
    """Train every network of a design; print effects and Shapley values. `ladder` is `roadmap`; `grid` shows when a step pays."""
    from .commands.study_choice import study_chosen

    changes = recipe_changes(None, None, batch_size, drop_path, ema, init_gain)
    common = (data, recipe, seeds, start, label, out, store, workers, engine)
    engine_options = given_options(address=address, cpus=cpus, gpus=gpus)
    options = StudyOptions(*common, engine_options, changes, device=device, precision=precision, rates=rates)
    study_chosen(context, design, steps or [], count, (images, sizes, epochs), options)


app.command(cls=SectionedCommand)(rates_command)


@app.command(cls=SectionedCommand)
def power(
    seeds: Annotated[Optional[int], typer.Option(help="Seeds per network: the smallest difference they find.")] = None,
    effect: Annotated[Optional[float], typer.Option(help="Difference in points: the seeds that it needs.")] = None,
    steps: Annotated[Optional[int], typer.Option(help="Differences tested; by default one per network.")] = None,
    store: given.StoreFolder = given.STORE,
) -> None:
    """Predict which differences more seeds would find, from the spread within the networks of a store."""
    from .commands.predict_power import predict_power

    predict_power(store, seeds, effect, steps)


@app.command(cls=SectionedCommand)
def status(store: given.StoreFolder = given.STORE) -> None:
    """Show which trials of a store are done, running or failed, and why."""
    from .commands.status import show_status

    show_status(store)


@app.command(cls=SectionedCommand)
def export(
    file: Annotated[Path, typer.Argument(help="CSV file to write.")], store: given.StoreFolder = given.STORE
) -> None:
    """Write every trial of a store as a row of a CSV file."""
    from .commands.export import export_trials

    export_trials(store, file)


@app.command("import", cls=SectionedCommand)
def import_(
    file: given.ExportFile,
    store: given.StoreFolder = given.STORE,
    same_images: given.SameImages = None,
) -> None:
    """Merge the outcomes of an exported file into a store, to continue a study that ran on another machine."""
    from .commands.import_ import import_trials

    import_trials(store, file, same_images)


@app.command(cls=SectionedCommand)
def see(
    context: typer.Context,
    steps: given.Steps = None,
    what: given.What = "fields",
    start: given.Start = "resnet50",
    model: given.Model = None,
    weights: given.Weights = None,
    pretrained: given.Pretrained = False,
    size: given.LookSize = None,
    images: given.ImageFolder = None,
    out: given.Figures = Path("figures"),
    device: given.Device = "auto",
) -> None:
    """Measure receptive fields along the ladder, along a custom road, or of one network; more with --what."""
    from .commands.see import SeeOptions
    from .commands.see import see as measure

    if what == "weights" or model is not None or weights is not None:
        refuse_options(context, ["start"], "is for steps and the ladder")
    network = NetworkOptions(model, weights, pretrained)
    measure(SeeOptions(what, tuple(steps or ()), start, network, size, images, out, device))


@app.command(cls=SectionedCommand)
def attribute(
    context: typer.Context,
    images: given.ImageFiles = None,
    model: given.Model = None,
    weights: given.Weights = None,
    pretrained: given.Pretrained = False,
    method: given.Methods = None,
    target: Annotated[Optional[int], typer.Option(help="Class to explain; by default the predicted one.")] = None,
    size: given.ImageSize = None,
    data: given.DataName = "digits",
    recipe: given.RecipeName = "micro",
    start: given.Start = "resnet50",
    store: given.StoreFolder = given.STORE,
    count: Annotated[int, typer.Option(help="Number of test images, where no images are given.")] = 16,
    rates: given.RatesFile = None,
    init_gain: given.InitGain = None,
    out: given.Figures = Path("figures"),
    device: given.Device = "auto",
) -> None:
    """Show which pixels drive a network's prediction, and score how far to trust each map."""
    from .commands.attribute_choice import attribute_chosen

    changes = recipe_changes(None, None, None, None, None, init_gain)
    ladder = StudyOptions(data, recipe, 1, start, "", out, store, changes=changes, device=device, rates=rates)
    attribute_chosen(context, images or [], (model, weights, pretrained), ladder, method or [], target, size, count)


@app.command(cls=SectionedCommand)
def explore(
    port: Annotated[int, typer.Option(help="Port of the page on this machine.")] = 8866,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Open the explorer, an interactive page of the design space that only this machine can reach. Ctrl-C stops it."""
    from .commands.explore import explore as serve

    serve(port, browser)
