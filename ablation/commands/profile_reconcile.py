"""`ablation profile --reconcile MODEL`: one network's count under several conventions, each difference by operator."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table
from torch import nn

from ..design.roadmap import Rung, roadmap
from ..errors import AblationError
from ..measure.reconcile import Reconciliation, reconcile
from .console import make_console
from .networks import load_network
from .options import NetworkOptions


def reconcile_network(model: str, steps: Sequence[str], start: str, size: int, timing: bool) -> None:
    """Print a network's count under each convention.

    Args:
        model: a timm model, with or without "timm:" in front, or a rung of the ladder by name.
        steps, timing: other things that `profile` can do; only one at a time.
        start: "resnet50" or "resnet200", the ladder in which rungs are found.
        size: side of the images in pixels.

    Raises:
        AblationError: if something else is asked for too, there is no such network, or it cannot be counted.
    """
    if steps or timing:
        raise AblationError("--reconcile explains the count of one network: give no steps and no --timing with it")
    if not model.strip():
        raise AblationError("--reconcile '' names no network: give a timm model, or a rung of the ladder by name")
    name, network = _load(model, start, size)
    found = reconcile(network, size)
    console = make_console()
    console.print(reconciliation_table(f"{name}, {size} px", found))
    for row in found.rows:
        console.print(f"{row.convention}: {row.counts}.", soft_wrap=True, highlight=False, markup=False)


def _load(model: str, start: str, size: int) -> tuple[str, nn.Module]:
    """Return the label of a network and the network with random weights, which its count does not depend on."""
    rungs: dict[str, Rung] = {rung.name: rung for rung in roadmap(start)}
    if model in rungs:
        from ..network import build

        return rungs[model].title, build(rungs[model].architecture)
    return load_network(NetworkOptions(model), size)


def reconciliation_table(title: str, found: Reconciliation) -> Table:
    """Return one row per convention: unit, total, difference to the paper's, and that difference by operator."""
    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("convention", no_wrap=True)
    table.add_column("unit", no_wrap=True)
    for heading in ("total", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("by operator", no_wrap=True)
    paper = found.rows[0].total or 0
    for row in found.rows:
        if row.total is None:
            table.add_row(row.convention, row.unit, "none", "", "")
            continue
        widest = max((len(f"{amount:+,}") for amount in row.differences.values()), default=0)
        parts = [f"{amount:>+{widest},} {operator}" for operator, amount in row.differences.items()]
        table.add_row(row.convention, row.unit, f"{row.total:,}", f"{row.total - paper:+,}", "\n".join(parts) or "none")
    return table
