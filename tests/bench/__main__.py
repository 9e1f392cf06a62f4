"""Side-by-side ratios, from one run on one machine: `make bench`. Timings are never tests.

Every ratio is ours over the other, in images per second, from interleaved pairs, the one that goes first alternating. The same
code against itself spreads over 0.8 to 1.2 on a small machine, so a ratio means its median, and the quartiles are printed beside
it. So is the load at the start: what else runs slows two threads that wait for each other more than one.
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
from tests.bench.training import bench_training

PARTS = {  # the share of the pairs each takes is what keeps all of it within reach
    "start": lambda pairs, console: bench_start(console),
    "pipeline": bench_pipeline,
    "fields": lambda pairs, console: bench_fields(max(4, pairs // 3), console),
    "training": bench_training,
    "engine": lambda pairs, console: bench_engine(max(2, pairs // 5), console),
}


def main() -> None:
    """Run the benchmarks and print what they were run on."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--pairs",
        type=int,
        default=25,
        help="interleaved pairs for each ratio; a third of it for fields, a fifth for engine",
    )
    parser.add_argument("--only", choices=PARTS, help="one part instead of all")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as by Ctrl-C, and with it what it started
    keep_freed_memory()  # what the system takes to clear memory is noise in every ratio
    console = Console(width=None if sys.stdout.isatty() else 120)
    about = [f"{name} {version(name)}" for name in ("torch", "torchvision", "timm", "convnext-ablation")]
    about += [f"Python {platform.python_version()}", f"{torch.get_num_threads()} threads", platform.machine()]
    if hasattr(os, "getloadavg"):
        about.append(f"load {os.getloadavg()[0]:.1f}")
    console.print(", ".join(about), highlight=False, soft_wrap=True)
    for name in [arguments.only] if arguments.only else PARTS:
        PARTS[name](arguments.pairs, console)


if __name__ == "__main__":
    main()
