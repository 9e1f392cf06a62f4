"""The table of a network's layers with their receptive fields, as the terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from ..measure.layer_fields import PRODUCTIVE, LayerField


def print_layers(layers: Sequence[LayerField], console: Console) -> None:
    """Print one row per layer: its field, that of its input on the longest and shortest path, and its status."""
    table = Table("layer", "kind", box=box.SIMPLE_HEAD)
    for heading in ("field, px", "input, px", "shortest path, px", "status"):
        table.add_column(heading, justify="left" if heading == "status" else "right")
    for layer in layers:
        field = f">= {layer.field}" if layer.measured and layer.field >= layer.image else str(layer.field)
        inputs = ["" if value is None else str(value) for value in (layer.before, layer.shortest)]
        style = None if layer.status == PRODUCTIVE else "bold"
        table.add_row(layer.layer, layer.kind, field, *inputs, layer.status, style=style)
    console.print(table, highlight=False)
