"""Benchmark of start-up times (bare interpreter, import, help) and of the cost of every rung."""

from __future__ import annotations

import statistics
import subprocess
import sys

from rich import box
from rich.console import Console
from rich.table import Table

from ablation import cost, roadmap
from tests.bench.pairs import seconds


def bench_start(console: Console) -> None:
    """Print median times over a few runs, and the difference from a bare interpreter."""
    table = Table("measured", "median seconds", "minus bare interpreter", box=box.SIMPLE_HEAD)
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
