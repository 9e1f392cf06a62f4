"""`ablation profile --timing`: latency, memory and roofline share of each rung, and the time per kind of layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from ..design.roadmap import Rung
from ..environment import describe_environment, keep_freed_memory
from ..files import writable_folder
from ..measure.breakdown import breakdown
from ..measure.memory import training_memory
from ..measure.timing import benchmark
from ..show.fitting import FittedTable
from .console import make_console, say, track_steps, write_figure
from .networks import road_label, rungs_of, short_title
from .options import TimingOptions
from .room import check_bytes, timing_bytes


def time_ladder(steps: Sequence[str], start: str, options: TimingOptions, out: Path) -> None:
    """Time each rung of a ladder, print the table, and write the figures and their numbers."""
    from ..network import build
    from ..show.speed import plot_operators, plot_speed

    rungs = rungs_of(steps, start)
    size, batch = options.size, options.batch
    for rung in rungs:
        rung.architecture.sizes(size)
    _check_room(rungs, options)
    writable_folder(out)
    keep_freed_memory()
    console = make_console()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows, parts = [], []
    with track_steps(console, "timing", len(rungs)) as end_step:
        for rung in rungs:
            network = build(rung.architecture).to(device)
            title = short_title(rung)
            # Timed last: the first calls of a network are slower because memory is allocated.
            parts += [{"title": title, **vars(share)} for share in breakdown(network, size, batch, samples=2)]
            memory = training_memory(network, size, batch)
            timing = benchmark(network, **vars(options))
            row = {"title": title, "params": sum(p.numel() for p in network.parameters()), **vars(timing)}
            row |= {
                "macs": (timing.macs or 0) // batch,
                "images_per_second": timing.images_per_second,
                "spread": timing.spread,
                "roofline_share": timing.roofline_share,
                "training_bytes_estimated": memory.total,
                "published_accuracy": rung.published.accuracy if rung.published else None,
            }
            rows.append(row)
            end_step(
                f"{title:28} {1000 * timing.seconds / batch:7.1f} ms per image, spread {100 * timing.spread:.0f} %"
            )
    table = pd.DataFrame(rows)
    mode = f"{options.step}, {options.memory_format}, {options.precision}"
    console.print(_timing_table(table, f"{start}, {size} px, batch {batch}, {mode}"))
    threads = f"{table['threads'].iloc[0]} threads" if device == "cpu" else ""
    say(
        console,
        f"Median of {table['samples'].iloc[0]} calls on {table['device'].iloc[0]} {threads}; ±: half the interquartile range. "
        "share: MACs per second relative to one large matrix product on this machine, "
        f"{table['macs_per_second'].iloc[0] / 1e9:.0f} G per second. peak: peak memory of one call; training: estimate with "
        "AdamW for this batch.",
    )
    environment = describe_environment(device)
    label = road_label(steps, start)
    if len(table) > 1 and table["published_accuracy"].notna().all():
        write_figure(out / f"speed-{label}", plot_speed(table), table.assign(**environment), console)
    operators = pd.DataFrame(parts)
    setting = {"size": size, "batch": batch, **environment}
    write_figure(out / f"operators-{label}", plot_operators(operators), operators.assign(**setting), console)


def _check_room(rungs: Sequence[Rung], options: TimingOptions) -> None:
    """Raise an `AblationError` if the largest network needs more memory for one call than there is."""

    def needed(batch: int) -> int:
        return max(timing_bytes(rung.architecture, options.size, batch, options.step) for rung in rungs)

    def fits(available: int) -> str:
        per_image = max(1, needed(2) - needed(1))
        batch = (available - needed(1)) // per_image + 1
        return f"--batch {batch}" if batch >= 1 else "a smaller --size"

    check_bytes(needed(options.batch), f"--batch {options.batch} of {options.size} px", fits)


def _timing_table(table: pd.DataFrame, title: str) -> FittedTable:
    rows = table.to_dict("records")
    halves = [500 * (row["high"] - row["low"]) / row["batch"] for row in rows]
    milliseconds = [f"{1000 * row['seconds'] / row['batch']:.1f}" for row in rows]
    shown = FittedTable(title)
    shown.add("row", [row["title"] for row in rows], "left")
    shown.add("G MACs", [f"{row['macs'] / 1e9:.2f}" for row in rows])
    shown.add("ms per image", [f"{value} ± {half:.1f}" for value, half in zip(milliseconds, halves, strict=True)])
    shown.add("images/s", [f"{row['images_per_second']:.1f}" for row in rows])
    shown.add("share %", [_rounded(row["roofline_share"], 100) for row in rows])
    shown.add("peak MB", [_rounded(row["peak_bytes"], 1e-6) for row in rows])
    shown.add("training MB", [_rounded(row["training_bytes_estimated"], 1e-6) for row in rows])
    shown.wrap_headings()
    shown.shorten("images/s")  # 1000 / milliseconds
    return shown


def _rounded(value: float | None, factor: float) -> str:
    return "" if value is None or value != value else f"{factor * value:.0f}"
