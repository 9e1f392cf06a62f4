"""Benchmarks on a GPU, written row by row to `figures/gpu.csv`: `make gpu`.

Three questions: how fast captured steps are beside eager ones and how many small trials at a time pay; how long the ladder
on 50,000 images of CIFAR-10's size would take; and how fast our networks are beside timm's at 224 px.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from rich.console import Console

from ablation.environment import describe_environment
from ablation.files import write_atomically
from tests.bench.gpu_networks import bench_gpu_networks
from tests.bench.gpu_training import AT_A_TIME, IMAGES, SEEDS, forecast_minutes, rows, time_rows

# As many rows of the ladder as trials are run at a time.
COMPARED = (
    "enhanced_recipe",
    "depthwise",
    "inverted_bottleneck",
    "kernel_size_7",
    "gelu",
    "fewer_norms",
    "layer_norm",
    "strided_downsampling",
)
FEW = 4  # rows that are timed where fewer trials run at a time
BUDGET_SECONDS = 180.0  # no part starts later: with the tests, six minutes on an H100


class Table:
    """Measurements with the device and versions, written after each row."""

    def __init__(self, file: Path, console: Console, about: dict[str, Any]) -> None:
        self.file, self.console, self.about = file, console, about
        self.rows: list[dict[str, Any]] = []

    def add(self, **values: Any) -> None:
        """Add a row, print it and write the file."""
        self.rows.append({**values, **self.about})
        text = "  ".join(
            f"{name} {value:,.4g}" if isinstance(value, float) else f"{value}" for name, value in values.items()
        )
        self.console.print(text, highlight=False, soft_wrap=True)
        write_atomically(self.file, pd.DataFrame(self.rows).to_csv(index=False))


def bench_sharing(table: Table, images: int, precision: str) -> int:
    """Compare eager with captured steps, and numbers of trials at a time; return the number that gave the most images."""
    trials = {name: trial for name, trial in rows().items() if name in COMPARED}
    few = dict(list(trials.items())[:FEW])
    before = {}
    for row in time_rows(few, images, "fp32", 1, on_device=False):
        before[row.row] = row.images_per_second
        table.add(
            what="trial", network=row.row, precision="fp32", mode=row.kind, images_per_second=row.images_per_second
        )
    best, most = 1, 0.0
    for at_a_time in AT_A_TIME:
        speeds = []
        for row in time_rows(trials if at_a_time > FEW else few, images, precision, at_a_time):
            speeds.append(row.images_per_second)
            table.add(
                what="trial",
                network=row.row,
                precision=precision,
                mode=row.kind,
                at_a_time=at_a_time,
                images_per_second=row.images_per_second,
                ratio=row.images_per_second / before[row.row] if row.row in before else None,
                seconds=row.start_seconds,
            )
        if statistics.mean(speeds) * at_a_time > most:
            best, most = at_a_time, statistics.mean(speeds) * at_a_time
    return best


def bench_ladder(table: Table, images: int, precision: str, at_a_time: int) -> None:
    """Time every row of the ladder and forecast the whole study."""
    trials = rows()
    timed = []
    for row in time_rows(trials, images, precision, at_a_time):
        timed.append(row)
        table.add(
            what="ladder",
            network=row.row,
            precision=precision,
            mode=row.kind,
            at_a_time=at_a_time,
            images_per_second=row.images_per_second,
            seconds=row.start_seconds,
        )
    minutes = forecast_minutes(timed, trials, images, at_a_time)
    title = f"forecast of {len(trials) * SEEDS} trials"
    table.add(what="ladder", network=title, precision=precision, at_a_time=at_a_time, minutes=minutes)


def main() -> None:
    """Run the benchmarks and write them."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("figures/gpu.csv"), help="CSV file to write")
    parser.add_argument("--images", type=int, default=IMAGES, help="training images of the ladder")
    parser.add_argument("--precision", default="bf16", help="precision of captured steps: fp32, bf16 or fp16")
    parser.add_argument("--compiled", action="store_true", help="also time compiled networks beside timm's, minutes")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("this machine has no CUDA device")
    console, started = Console(width=140), time.perf_counter()
    environment = describe_environment("cuda")
    about = {name: environment[name] for name in ("device", "torch", "timm", "convnext-ablation", "commit")}
    table = Table(arguments.out, console, about)
    best = bench_sharing(table, arguments.images // 4, arguments.precision)
    parts: list[tuple[str, Callable[[], object]]] = [
        ("ladder", lambda: bench_ladder(table, arguments.images, arguments.precision, best)),
        ("networks", lambda: _networks(table, console, arguments.compiled)),
    ]
    for name, part in parts:
        if time.perf_counter() - started > BUDGET_SECONDS:
            console.print(f"{name} left out: the time is up")
        else:
            part()
    console.print(f"wrote {arguments.out} in {time.perf_counter() - started:.0f} s")


def _networks(table: Table, console: Console, compiled: bool) -> None:
    for row in bench_gpu_networks(3, console, compiled=("bf16",) if compiled else ()):
        table.add(
            what="step at 224 px, against timm",
            network=row["name"],
            precision=row["precision"],
            mode=row["mode"],
            images_per_second=row["ours_img_s"],
            ratio=row["ratio"],
        )


if __name__ == "__main__":
    main()
