"""Benchmark of single training steps (forward, backward, optimizer) against timm, with the same images and weights."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import timm
import torch
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import nn

from ablation import build, to_timm
from ablation.network.timm_weights import TIMM_MODELS
from tests.bench.pairs import interleaved

SIZE, BATCH = 224, 16
FORMATS = {"NCHW": torch.contiguous_format, "channels-last": torch.channels_last}
TRAINER_FORMAT, TIMM_DEFAULT = "channels-last", "NCHW"


def training_step(network: nn.Module, memory_format: torch.memory_format, bf16: bool) -> Callable[[], None]:
    """Return a function that runs one SGD step on a fixed batch."""
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


def bench_training(pairs: int, console: Console) -> None:
    """Compare with timm in the same memory format, and our trainer's default format with timm's default."""
    console.print(f"Training steps on {BATCH} images of {SIZE} px, against timm.", highlight=False)
    table = Table("network", "precision", "ours", "timm", "ratio", "quartiles", "ours img/s", box=box.SIMPLE_HEAD)
    formats = [(name, name) for name in FORMATS] + [(TRAINER_FORMAT, TIMM_DEFAULT)]
    jobs = list(itertools.product(("resnet50", "convnext_tiny"), (False, True), formats))
    with Progress(console=console) as bar:
        task = bar.add_task("training steps", total=len(jobs) * pairs)
        for name, bf16, (our_format, their_format) in jobs:
            ours, theirs = build(TIMM_MODELS[name]), timm.create_model(name)
            theirs.load_state_dict(to_timm(ours))
            our_step = training_step(ours, FORMATS[our_format], bf16)
            their_step = training_step(theirs, FORMATS[their_format], bf16)
            timed = interleaved(our_step, their_step, pairs, lambda: bar.advance(task))
            speed, _ = timed.speeds(BATCH)
            row = [name, "bf16" if bf16 else "fp32", our_format, their_format, *timed.ratio(), f"{speed:.1f}"]
            table.add_row(*row)
            bar.console.print("  ".join(row), highlight=False)
    console.print(table)
