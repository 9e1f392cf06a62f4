"""Benchmarks of this library against alternatives, from one run on one machine: `make bench`. Timings are never tests.

Every ratio is the speed of this library divided by that of the alternative, in images per second. The calls are
interleaved in pairs with alternating order. On a small machine, ratios of the same code with itself range from 0.8 to
1.2, so the median is reported with the quartiles. The system load at the start is printed too: other processes slow two
threads that wait for each other more than they slow one.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
from importlib.metadata import version

import torch
from rich.console import Console

from ablation.environment import keep_freed_memory
from tests.bench.engine import bench_engine
from tests.bench.fields import bench_fields
from tests.bench.pipeline import bench_pipeline
from tests.bench.start import bench_start
from tests.bench.streaming import bench_streaming
from tests.bench.training import bench_training

PARTS = {  # slow parts use fewer pairs, to limit the total time
    "start": lambda pairs, console: bench_start(console),
    "pipeline": bench_pipeline,
    "streaming": lambda pairs, console: bench_streaming(max(3, pairs // 5), console),
    "fields": lambda pairs, console: bench_fields(max(4, pairs // 3), console),
    "training": bench_training,
    "engine": lambda pairs, console: bench_engine(max(2, pairs // 5), console),
}


def main() -> None:
    """Run the benchmarks and print versions and machine details."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--pairs",
        type=int,
        default=25,
        help="interleaved pairs per ratio; fields uses a third of it, streaming and engine a fifth",
    )
    parser.add_argument("--only", choices=PARTS, help="run one part instead of all")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as with Ctrl-C, child processes are stopped too
    keep_freed_memory()  # the time that the system takes to clear memory adds noise to every ratio
    console = Console(width=None if sys.stdout.isatty() else 120)
    details = [f"{name} {version(name)}" for name in ("torch", "torchvision", "timm", "convnext-ablation")]
    details += [f"Python {platform.python_version()}", f"{torch.get_num_threads()} threads", platform.machine()]
    if hasattr(os, "getloadavg"):
        details.append(f"load {os.getloadavg()[0]:.1f}")
    console.print(", ".join(details), highlight=False, soft_wrap=True)
    for name in [arguments.only] if arguments.only else PARTS:
        PARTS[name](arguments.pairs, console)


if __name__ == "__main__":
    main()
