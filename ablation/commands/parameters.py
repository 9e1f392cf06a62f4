"""Arguments and options of the command line that several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Optional

import typer

from ..design.recipes import FAMILIES
from ..design.roadmap import STARTS
from ..errors import AblationError
from ..train.devices import DEVICES, PRECISIONS
from ..train.tracking import TRACKERS
from .help_sections import MACHINE, NETWORK, RECIPE, RESULTS, one_of

Steps = Annotated[
    Optional[list[str]], typer.Argument(help="Steps to take, such as: patchify_stem depthwise kernel_size=7")
]
DataName = Annotated[
    str,
    typer.Option(
        "--data",
        help="Data set: digits, longrange, cifar10, cifar100, fashion_mnist, imagenette, imagefolder:PATH with train/ and "
        "val/, imagenet:PATH or timm:NAME. NAME#1000: part of it.",
        rich_help_panel=RECIPE,
    ),
]
RecipeName = Annotated[
    str, typer.Option("--recipe", help=f"Recipe family: {one_of(FAMILIES)}.", rich_help_panel=RECIPE)
]
Epochs = Annotated[
    Optional[int],
    typer.Option(
        "--epochs",
        help="Passes over the training images; warm-up and decay are scaled in proportion. By default, those of the recipe.",
        rich_help_panel=RECIPE,
    ),
]
Rate = Annotated[
    Optional[float],
    typer.Option(
        "--lr",
        help="Peak learning rate for the batch that is used, whatever its size. By default, that of the recipe.",
        rich_help_panel=RECIPE,
    ),
]
RatesFile = Annotated[
    Optional[Path],
    typer.Option(
        "--rates",
        help="CSV file of `ablation rates --every-row`: the ladder trains each row at its own learning rate from it.",
        rich_help_panel=RECIPE,
    ),
]
BatchSize = Annotated[
    Optional[int],
    typer.Option(
        "--batch-size",
        help="Images per optimizer step, of all processes together; the learning rate is scaled in proportion unless --lr is "
        "given. By default, that of the recipe.",
        rich_help_panel=RECIPE,
    ),
]
StudyBatchSize = Annotated[
    Optional[int],
    typer.Option(
        "--batch-size",
        help="Images per optimizer step of both recipes; their learning rates are scaled in proportion.",
        rich_help_panel=RECIPE,
    ),
]
DropPath = Annotated[
    Optional[float],
    typer.Option(
        "--drop-path",
        help="Stochastic depth rate of the last block; 0 for none. By default, that of the recipe.",
        rich_help_panel=RECIPE,
    ),
]
Ema = Annotated[
    Optional[float],
    typer.Option(
        "--ema",
        help="Decay of the average of the weights, such as 0.9999, which is then evaluated; 0 for none. By default, that of "
        "the recipe.",
        rich_help_panel=RECIPE,
    ),
]
InitGain = Annotated[
    Optional[float],
    typer.Option(
        "--init-gain",
        help="Factor of the initial weights; their standard deviation is 0.02 at 1. By default, that of the recipe.",
        rich_help_panel=RECIPE,
    ),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed, 0 or more.", rich_help_panel=RECIPE)]
InitFrom = Annotated[
    Optional[Path],
    typer.Option(
        "--init-from",
        help="Weights file to start from, of the same network: written by ablation, timm or the network's authors. The head is "
        "new where the number of classes differs.",
        rich_help_panel=NETWORK,
    ),
]
LoaderWorkers = Annotated[
    Optional[int],
    typer.Option(
        "--workers",
        help="Processes that read image files, for each training process; by default, as many as cores and memory allow.",
        rich_help_panel=MACHINE,
    ),
]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile", help="Train the network compiled by torch.compile, which takes minutes.", rich_help_panel=MACHINE
    ),
]
ValidateEvery = Annotated[
    int,
    typer.Option(
        "--validate-every",
        help="Epochs after which the network is evaluated on the test images, besides the end; 0 for never.",
        rich_help_panel=RESULTS,
    ),
]
LogWith = Annotated[
    Optional[str],
    typer.Option(
        "--log-with",
        help=f"Log each epoch with {one_of(TRACKERS)}: csv and tensorboard into logs/ of the store.",
        rich_help_panel=RESULTS,
    ),
]
Figures = Annotated[
    Path, typer.Option("--out", help="Folder for the figures and their numbers.", rich_help_panel=RESULTS)
]
Model = Annotated[
    Optional[str],
    typer.Option(
        "--model", help="Name of a timm model, such as swin_tiny_patch4_window7_224.", rich_help_panel=NETWORK
    ),
]
Weights = Annotated[
    Optional[Path],
    typer.Option("--weights", help="Weights file written by ablation or, with --model, a state dict of that model."),
]
Pretrained = Annotated[bool, typer.Option("--pretrained", help="Download timm's weights for --model.")]
ImageFolder = Annotated[
    Optional[Path],
    typer.Option("--images", help="Folder of images; by default eight photographs of scikit-image and scikit-learn."),
]
RungName = Annotated[
    Optional[str],
    typer.Option(
        "--rung", help="A rung of the ladder by name, such as depthwise, instead of steps.", rich_help_panel=NETWORK
    ),
]
ExportFile = Annotated[Path, typer.Argument(help="CSV file that `ablation export` wrote.")]
SameImages = Annotated[
    Optional[Path],
    typer.Option(
        "--same-images",
        help="Folder of images that trials of ablation 0.2 and earlier, which knew only names and sizes of files, are of.",
    ),
]
LookSize = Annotated[
    Optional[int],
    typer.Option(
        "--size", help="Side of the images in pixels; by default 512, and 224 for layers.", show_default=False
    ),
]
Reconcile = Annotated[
    Optional[str],
    typer.Option(
        "--reconcile",
        help="Explain one network's count under the conventions of other counters: a timm model, or a rung by name.",
    ),
]
Averaged = Annotated[
    bool, typer.Option("--averaged/--raw", help="Weights to take from a file that holds averaged (EMA) and raw ones.")
]
ClassOrder = Annotated[
    Optional[str],
    typer.Option(
        "--class-order",
        help="Order of the class folders, where the weights do not name their classes: torchvision (the default) or timm.",
    ),
]
STORE = Path("runs")
StoreFolder = Annotated[
    Path, typer.Option("--store", help="Folder that keeps outcomes and weights.", rich_help_panel=RESULTS)
]
What = Annotated[
    str,
    typer.Option(
        "--what",
        help="fields: receptive fields; layers: the field of each layer against the image; norms: inputs of the norms; "
        "signal: what branches pass on at initialisation; weights: static compared with dynamic weights.",
    ),
]
Label = Annotated[
    str,
    typer.Option(
        "--label",
        help="Name of the data in tables and figures; by default, that of the data set.",
        rich_help_panel=RESULTS,
    ),
]
Start = Annotated[str, typer.Option(help=f"ResNet to start from: {one_of(STARTS)}.", rich_help_panel=NETWORK)]
Seeds = Annotated[int, typer.Option(help="Number of seeds per network.", rich_help_panel=RECIPE)]
Workers = Annotated[
    Optional[int],
    typer.Option(help="Trials at a time; by default as many as there is room for.", rich_help_panel=MACHINE),
]
EngineName = Annotated[
    str,
    typer.Option("--engine", help="Where trials run: local, or ray for a Ray cluster.", rich_help_panel=MACHINE),
]
Address = Annotated[
    Optional[str],
    typer.Option(
        "--address",
        help="HOST:PORT of the Ray cluster, or auto; by default one is started on this machine.",
        rich_help_panel=MACHINE,
    ),
]
Cpus = Annotated[
    Optional[float],
    typer.Option("--cpus", help="CPUs and threads per trial on Ray; by default 1.", rich_help_panel=MACHINE),
]
Gpus = Annotated[
    Optional[float],
    typer.Option(
        "--gpus",
        help="GPUs per trial on Ray, such as 0.5; by default what suits the networks, or 0 without GPUs.",
        rich_help_panel=MACHINE,
    ),
]
Accumulate = Annotated[
    int,
    typer.Option(help="Number of parts in which each process handles its share of a batch.", rich_help_panel=MACHINE),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        help=f"Where to run: {one_of(DEVICES)}; auto is a GPU if there is one.",
        rich_help_panel=MACHINE,
    ),
]
Precision = Annotated[
    str,
    typer.Option(
        "--precision",
        help=f"Numbers to train with: {one_of(PRECISIONS)}; auto is what a GPU is fast in, and fp32 without one.",
        rich_help_panel=MACHINE,
    ),
]
ImageFiles = Annotated[
    Optional[list[Path]],
    typer.Argument(
        help="Image files or folders of them; none: test images of --data, on every rung trained in --store."
    ),
]

Methods = Annotated[
    Optional[list[str]], typer.Option("--method", help="Method; may be repeated. By default, five of them.")
]
ImageSize = Annotated[
    Optional[int], typer.Option("--size", help="Side of the images in pixels; by default, that of the network.")
]


def given_options(**options: float | str | None) -> dict[str, float | str]:
    """Return the options that were given, without those that are None."""
    return {name: value for name, value in options.items() if value is not None}


def refuse_options(context: typer.Context, names: Iterable[str], reason: str) -> None:
    """Raise an `AblationError` if the user gave an option that this call would ignore.

    Args:
        context: the context of the command.
        names: parameters of the command.
        reason: why they have no meaning here.
    """
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise AblationError(f"--{name.replace('_', '-')} {reason}")
