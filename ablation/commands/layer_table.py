"""The table of a network's layers with their receptive fields, as the terminal shows it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from ..measure.layer_fields import PRODUCTIVE, LayerField
from ..show.fitting import FittedTable


def print_layers(layers: Sequence[LayerField], console: Console) -> None:
    """Print one row per layer: its field, that of its input on the longest and shortest path, and its status."""
    table, kinds = FittedTable(), [layer.kind for layer in layers]
    fields = [f"{'>= ' * (layer.measured and layer.field >= layer.image)}{layer.field}" for layer in layers]
    table.add("layer", [layer.layer for layer in layers], "left")
    table.add("kind", kinds, "left")
    table.add("field, px", fields)
    table.add("input, px", [_pixels(layer.before) for layer in layers])
    table.add("shortest path, px", [_pixels(layer.shortest) for layer in layers])
    table.add("status", [layer.status for layer in layers], "left")
    table.style(["" if layer.status == PRODUCTIVE else "bold" for layer in layers])
    table.wrap_headings()
    table.shorten("kind", cells=[kind.replace(", stride ", ", /").removeprefix("Conv2d ") for kind in kinds])
    table.shorten("shortest path, px")  # on which the status depends
    table.shorten("input, px")
    console.print(table, highlight=False)


def _pixels(value: int | None) -> str:
    return "" if value is None else str(value)
