"""Side-by-side ratios, from one run on one machine: `make bench`. Timings are never tests.

Every ratio is ours over the other, in images per second, from interleaved pairs on the same images with the same weights, the one
that goes first alternating: of single training steps (forward, backward, optimizer) against timm's, and of effective receptive
fields of eight images against a plain loop. timm against itself spreads over 0.8 to
1.2 on a small machine, so a ratio means its median, and the quartiles are printed beside it.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version

import timm
import torch
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import nn

from ablation import build, cost, roadmap, to_timm
from ablation.allocator import keep_freed_memory
from ablation.measure.images import IMAGENET_MEAN, IMAGENET_STD, normalise, photographs
from ablation.measure.receptive_field import FieldWarning, effective_receptive_field, open_branches
from ablation.network.timm_weights import TIMM_MODELS

SIZE, BATCH = 224, 16
FORMATS = {"NCHW": torch.contiguous_format, "channels-last": torch.channels_last}
TRAINER_FORMAT, TIMM_DEFAULT = "channels-last", "NCHW"


def training_step(network: nn.Module, memory_format: torch.memory_format, bf16: bool) -> Callable[[], None]:
    """One step of SGD on a fixed batch."""
    network = network.to(memory_format=memory_format).train()  # type: ignore[call-overload]
    images = torch.randn(BATCH, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    images, labels = images.to(memory_format=memory_format), torch.arange(BATCH)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.9)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def seconds(step: Callable[[], None]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def interleaved(
    ours: Callable[[], None], theirs: Callable[[], None], pairs: int, tick: Callable[[], None]
) -> list[float]:
    """Speed of ours over theirs, from that many pairs of calls, after one call each to warm up."""
    seconds(ours), seconds(theirs)
    ratios = []
    for i in range(pairs):
        if i % 2:
            b, a = seconds(theirs), seconds(ours)
        else:
            a, b = seconds(ours), seconds(theirs)
        ratios.append(b / a)
        tick()
    return ratios


def spread(ratios: list[float]) -> tuple[str, str]:
    """Median, and the quartiles around it."""
    low, middle, high = statistics.quantiles(ratios, n=4)
    return f"{middle:.3f}", f"{low:.3f} to {high:.3f}"


def bench_training(pairs: int, console: Console) -> None:
    """Ours over timm in the same memory format, and the format our trainer picks over timm's default."""
    table = Table("network", "precision", "ours", "timm", "ratio", "quartiles", "ours img/s", box=box.SIMPLE_HEAD)
    formats = [(name, name) for name in FORMATS] + [(TRAINER_FORMAT, TIMM_DEFAULT)]
    jobs = list(itertools.product(("resnet50", "convnext_tiny"), (False, True), formats))
    with Progress(console=console) as bar:
        task = bar.add_task("training steps", total=len(jobs) * pairs)
        for name, bf16, (our_format, their_format) in jobs:
            ours, theirs = build(TIMM_MODELS[name]), timm.create_model(name)
            theirs.load_state_dict(to_timm(ours))
            ours_step = training_step(ours, FORMATS[our_format], bf16)
            theirs_step = training_step(theirs, FORMATS[their_format], bf16)
            ratios = interleaved(ours_step, theirs_step, pairs, lambda: bar.advance(task))
            speed = BATCH / statistics.median(seconds(ours_step) for _ in range(3))
            row = [name, "bf16" if bf16 else "fp32", our_format, their_format, *spread(ratios), f"{speed:.1f}"]
            table.add_row(*row)
            bar.console.print("  ".join(row), highlight=False)
    console.print(table)


FIELD_MODELS = ("resnet50", "convnext_tiny", "swin_tiny_patch4_window7_224")


def plain_loop(network: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The effective field as anyone would write it down: one image at a time, autograd, no more."""
    total = torch.zeros(images.shape[-2:], dtype=torch.float64)
    for image in images:
        x = image[None].clone().requires_grad_()
        features = network.forward_features(x)
        if features.shape[1] == features.shape[2]:  # Swin's (N, H, W, C)
            features = features.permute(0, 3, 1, 2)
        centre = features[:, :, features.shape[2] // 2, features.shape[3] // 2]
        (gradient,) = torch.autograd.grad(centre.relu().sum(), x)
        total += gradient.relu().sum((0, 1), dtype=torch.float64)
    return total / len(images)


def bench_fields(pairs: int, console: Console) -> None:
    """Ours over the plain loop, eight images; and how far the two maps are apart."""
    table = Table("network", "px", "ratio", "quartiles", "largest difference", box=box.SIMPLE_HEAD)
    jobs = list(itertools.product(FIELD_MODELS, (224, 448)))
    with Progress(console=console) as bar, warnings.catch_warnings():
        warnings.simplefilter("ignore", FieldWarning)
        task = bar.add_task("receptive fields", total=len(jobs) * pairs)
        for name, size in jobs:
            torch.manual_seed(0)
            options = {"img_size": size} if name.startswith("swin") else {}
            network = open_branches(timm.create_model(name, **options).eval())
            images = normalise(photographs(size), IMAGENET_MEAN, IMAGENET_STD)
            ours, theirs = effective_receptive_field(network, images).map, plain_loop(network, images).numpy()
            apart = abs(ours - theirs).max() / theirs.max()
            ratios = interleaved(
                lambda network=network, images=images: effective_receptive_field(network, images),
                lambda network=network, images=images: plain_loop(network, images),
                pairs,
                lambda: bar.advance(task),
            )
            row = [name, str(size), *spread(ratios), f"{apart:.1e}"]
            table.add_row(*row)
            bar.console.print("  ".join(row), highlight=False)
    console.print(table)


def bench_start(console: Console) -> None:
    """Start-up: a bare interpreter, the import, the help; and the cost of every rung."""
    table = Table("what", "median seconds", "over a bare interpreter", box=box.SIMPLE_HEAD)
    commands = {
        "python -c pass": ["-c", "pass"],
        "python -c 'import ablation'": ["-c", "import ablation"],
        "ablation --help": ["-m", "ablation", "--help"],
        "ablation profile": ["-m", "ablation", "profile"],
    }
    bare = 0.0
    for name, arguments in commands.items():
        command = [sys.executable, *arguments]
        run = lambda command=command: subprocess.run(command, check=True, capture_output=True)  # noqa: E731
        median = statistics.median(seconds(run) for _ in range(7))
        bare = bare or median
        table.add_row(name, f"{median:.3f}", f"{median - bare:+.3f}")
    rungs = [rung.architecture for ladder in ("resnet50", "resnet200") for rung in roadmap(ladder)]
    median = statistics.median(seconds(lambda: [cost(rung) for rung in rungs]) for _ in range(21))
    table.add_row("cost of all 34 rungs", f"{median:.4f}", "")
    console.print(table)


def main() -> None:
    """Run the benchmarks and print what they were run on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=25, help="interleaved pairs for each ratio")
    parser.add_argument("--only", choices=["training", "start", "fields"], help="one part instead of all")
    arguments = parser.parse_args()
    keep_freed_memory()  # what the system takes to clear memory is noise in every ratio
    console = Console(width=None if sys.stdout.isatty() else 120)
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "timm", "convnext-ablation"))
    console.print(
        f"{versions}, Python {platform.python_version()}, {torch.get_num_threads()} threads, {platform.machine()}, "
        f"{SIZE} px, batch {BATCH}, {arguments.pairs} pairs",
        highlight=False,
        soft_wrap=True,
    )
    if arguments.only in (None, "start"):
        bench_start(console)
    if arguments.only in (None, "fields"):
        bench_fields(max(4, arguments.pairs // 3), console)
    if arguments.only in (None, "training"):
        bench_training(arguments.pairs, console)


if __name__ == "__main__":
    main()
