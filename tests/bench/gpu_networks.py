"""Benchmark of training steps on a GPU against timm: channels-last, bf16 autocast and float32, eager and compiled.

Both sides have the same weights (layer scale 1e-6 in ConvNeXt), images and optimizer, and both may use TF32 in products and
convolutions: by default only convolutions do, and timm's ConvNeXt, which has linear layers, would be slower for that alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import timm
import torch
from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import nn

from ablation import build, to_timm
from ablation.network.timm_weights import TIMM_MODELS
from tests.bench.pairs import Call, interleaved

NetworkPair = Callable[[], tuple[nn.Module, nn.Module]]
STEPS = 4  # per timing, so that the GPU does not wait for the first launches of each
WARM_UP = 3  # calls before timing: compilation, cuDNN's choice of algorithms, memory


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """Return our network and timm's with the same weights."""
    ours, theirs = build(TIMM_MODELS[name]), timm.create_model(name)
    theirs.load_state_dict(to_timm(ours))
    return ours, theirs


NETWORKS: dict[str, NetworkPair] = {name: partial(pair, name) for name in ("resnet50", "convnext_tiny")}


def bench_gpu_networks(
    pairs: int,
    console: Console,
    size: int = 224,
    batch: int = 128,
    device: str = "cuda",
    networks: Mapping[str, NetworkPair] = NETWORKS,
    precisions: Sequence[str] = ("bf16", "fp32"),
    compiled: Sequence[str] = ("bf16",),
    backend: str = "inductor",
) -> list[dict[str, Any]]:
    """Compare training steps with timm's.

    Args:
        pairs: interleaved pairs per ratio, 2 or more.
        console: for the table.
        size: of the square images in pixels.
        batch: images per step.
        device: "cuda", timed with events, or "cpu".
        networks: name -> function that returns our network and the other.
        precisions: "bf16" (autocast) and "fp32".
        compiled: precisions that are timed compiled, too; each takes two compilations a network.
        backend: of `torch.compile`.

    Returns:
        One row per network, precision and mode: name, precision, mode, ours_img_s, timm_img_s and ratio, the median over pairs.
    """
    where = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    console.print(
        f"Training steps on {batch} images of {size} px in channels-last memory, against timm, on {where}. TF32 is on for both.",
        highlight=False,
    )
    jobs = [
        (name, precision, mode)
        for name in networks
        for precision in precisions
        for mode in ("eager", "compiled")
        if mode == "eager" or precision in compiled
    ]
    rows = []
    table = Table("network", "precision", "mode", "ratio", "quartiles", "ours img/s", "timm img/s", box=box.SIMPLE_HEAD)
    with Progress(console=console) as bar, _tf32():
        task = bar.add_task("training steps", total=len(jobs) * pairs)
        for name, precision, mode in jobs:
            torch.compiler.reset()
            steps = []
            for network in networks[name]():
                network = network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
                called = torch.compile(network, backend=backend) if mode == "compiled" else network
                steps.append(training_steps(network, called, size, batch, device, precision == "bf16"))
            for step in steps * WARM_UP:
                step()
            timed = interleaved(*steps, pairs, lambda: bar.advance(task), clock=partial(seconds_on, device))
            median, quartiles = timed.ratio()
            ours, theirs = timed.speeds(STEPS * batch)
            found = {"ours_img_s": ours, "timm_img_s": theirs, "ratio": float(median)}
            rows.append({"name": name, "precision": precision, "mode": mode, **found})
            table.add_row(name, precision, mode, median, quartiles, f"{ours:,.0f}", f"{theirs:,.0f}")
    console.print(table)
    return rows


def training_steps(
    network: nn.Module, called: Callable[..., Any], size: int, batch: int, device: str, bf16: bool
) -> Callable[[], None]:
    """Return a function that runs some SGD steps on a fixed batch; `called` is the network or its compiled form."""
    images = torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    images, labels = images.to(memory_format=torch.channels_last), torch.arange(batch, device=device) % 1000
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.9)

    def run() -> None:
        for _ in range(STEPS):
            with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=bf16):
                loss = nn.functional.cross_entropy(called(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    return run


def seconds_on(device: str, call: Call) -> float:
    """Return the seconds of one call, by events where the device is a GPU."""
    if not device.startswith("cuda"):
        started = time.perf_counter()
        call()
        return time.perf_counter() - started
    before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize(device)
    before.record()
    call()
    after.record()
    torch.cuda.synchronize(device)
    return before.elapsed_time(after) / 1000  # milliseconds


@contextmanager
def _tf32() -> Iterator[None]:
    """Allow TF32 in products and convolutions."""
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "tf32"
    try:
        yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.fp32_precision = value
