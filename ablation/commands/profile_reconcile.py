"""`ablation profile --reconcile MODEL`: one network's count under several conventions, each difference by operator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from ..design.roadmap import Rung, roadmap
from ..errors import AblationError
from ..measure.reconcile import Reconciled, Reconciliation, reconcile
from ..show.fitting import FittedTable, short_number
from .console import make_console, say
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
        say(console, f"{row.convention}: {row.counts}.")


def _load(model: str, start: str, size: int) -> tuple[str, nn.Module]:
    """Return the label of a network and the network with random weights, which its count does not depend on."""
    rungs: dict[str, Rung] = {rung.name: rung for rung in roadmap(start)}
    if model in rungs:
        from ..network import build

        return rungs[model].title, build(rungs[model].architecture)
    return load_network(NetworkOptions(model), size)


def reconciliation_table(title: str, found: Reconciliation) -> FittedTable:
    """Return one row per convention: unit, total, difference to the paper's, and that difference by operator."""
    paper = found.rows[0].total or 0
    differences = [None if row.total is None else row.total - paper for row in found.rows]
    table = FittedTable(title)
    table.add("convention", [row.convention for row in found.rows], "left")
    table.add("unit", [row.unit for row in found.rows], "left")
    table.add("total", ["none" if row.total is None else f"{row.total:,}" for row in found.rows])
    table.add("difference", ["" if value is None else f"{value:+,}" for value in differences])
    table.add("by operator", [_parts(row, lambda amount: f"{amount:+,}") for row in found.rows], "left")
    table.shorten("by operator", cells=[_parts(row, lambda amount: short_number(amount, True)) for row in found.rows])
    table.shorten("difference", cells=["" if value is None else short_number(value, True) for value in differences])
    table.shorten("total", cells=["none" if row.total is None else short_number(row.total) for row in found.rows])
    return table


def _parts(row: Reconciled, text: Callable[[int], str]) -> str:
    """Return the difference of a convention by operator, one a line, with aligned amounts."""
    if row.total is None:
        return ""
    amounts = {operator: text(amount) for operator, amount in row.differences.items()}
    widest = max(map(len, amounts.values()), default=0)
    return "\n".join(f"{amount:>{widest}} {operator}" for operator, amount in amounts.items()) or "none"
