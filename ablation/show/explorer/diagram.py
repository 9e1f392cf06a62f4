"""Diagrams of the network: its four stages with their maps and blocks, and the layers of one block."""

from __future__ import annotations

from dataclasses import dataclass

from ...design.architecture import Architecture
from .state import Design
from .svg import BLUE, GREEN, GREY, INK, ORANGE, line, path, rect, svg, text

_MAX_BLOCKS = 9  # drawn per stage; the text gives the full number
_NORMS = {"batch": "BN", "layer": "LN"}
_ACTIVATIONS = {"relu": "ReLU", "gelu": "GELU"}


@dataclass(frozen=True)
class Layer:
    """A layer of a block's branch.

    Args:
        kind: "conv", "norm", "act" or "scale".
        name: its name in the diagram.
        channels: number of output channels.
    """

    kind: str
    name: str
    channels: int


def branch(a: Architecture, stage: int = 0) -> tuple[Layer, ...]:
    """Return the layers of the residual branch in order, for a block that is not the first of its stage.

    >>> [layer.name for layer in branch(Architecture())]
    ['1x1', 'BN', 'ReLU', '3x3', 'BN', 'ReLU', '1x1', 'BN']
    """
    width, out = a.widths[stage], a.out_channels[stage]
    middle = a.expansion * width if a.block == "inverted" else width
    spatial = f"{a.kernel_size}x{a.kernel_size}" + (" dw" if a.depthwise else "")
    convs = [(spatial, out), ("1x1", middle)] if a.spatial_first else [("1x1", middle), (spatial, middle)]
    layers: list[Layer] = []
    for i, (name, channels) in enumerate([*convs, ("1x1", out)], start=1):
        layers.append(Layer("conv", name, channels))
        if a.norms == "every" or i == (1 if a.spatial_first else 2):
            layers.append(Layer("norm", _short_name(a.norm, _NORMS), channels))
        if i == 2 or (i == 1 and a.activations == "every"):
            layers.append(Layer("act", _short_name(a.activation, _ACTIVATIONS), channels))
    if a.layer_scale is not None:
        layers.append(Layer("scale", "scale", out))
    return tuple(layers)


def _short_name(name: str, known: dict[str, str]) -> str:
    return known.get(name, name[:8])


_DOWNSAMPLING = {
    "block": "strided block",
    "separate": "norm, 2x2 stride 2",
    "pool": "norm, 2x2 pool, 1x1",
}


def stem_text(a: Architecture) -> str:
    """Return a short description of the stem."""
    if a.stem == "patchify":
        return f"{a.stem_stride}x{a.stem_stride} stride {a.stem_stride}"
    return {1: "3x3", 2: "7x7 stride 2", 4: "7x7 stride 2, pool"}[a.stem_stride]


def network_svg(design: Design) -> str:
    """Return a diagram of the image, stem, four stages and head.

    Each stage is a square whose side represents the side of its map, with a further square behind it for each further block.
    """
    a, parts = design.architecture, design.cost.stages
    stem_side = max(parts[0].size, 1)
    base, shapes = 158.0, []
    shapes.append(text(43, 20, "image", size=12))
    shapes.append(rect(3, base - 110, 80, 110, "#eeeeee", f'stroke="{INK}"'))
    shapes.append(text(43, base - 62, f"{design.size} px", size=12))
    shapes.append(text(43, base - 46, "3 channels", size=12))
    shapes.append(line(85, base - 55, 104, base - 55, INK, 'marker-end="url(#ax-arrow)"'))
    shapes.append(text(95, base + 34, f"stem: {stem_text(a)}", size=12))
    for i, part in enumerate(parts[1:5]):
        x = 112 + 138 * i
        side = max(8.0, 84 * (part.size / stem_side) ** 0.5)
        depth = a.depths[i]
        shown = min(depth, _MAX_BLOCKS)
        for j in reversed(range(shown)):
            shift = 4.5 * j
            fill = BLUE if j == 0 else "#cfe3f2"
            shapes.append(rect(x + shift, base - side - shift, side, side, fill, 'stroke="#ffffff"'))
        shapes.append(text(x, 20, f"stage {i + 1}", "start", 12, 'font-weight="bold"'))
        lines = (f"map {part.size} x {part.size}", f"{part.channels:,} channels", f"{depth} block{'s'[: depth > 1]}")
        for k, content in enumerate(lines):
            shapes.append(text(x, base + 58 + 16 * k, content, "start", 12))
        if i < 3:
            shapes.append(line(x + 122, base - 16, x + 132, base - 16, ORANGE, 'marker-end="url(#ax-arrow)"'))
    shapes.append(text(664, 20, "head", "start", 12, 'font-weight="bold"'))
    shapes.append(text(664, base - 16, "pool,", "start", 12))
    shapes.append(text(664, base, "1,000 classes", "start", 12))
    shapes.append(line(250, base + 16, 640, base + 16, ORANGE, 'stroke-width="2"'))
    shapes.append(text(445, base + 34, f"between stages: {_DOWNSAMPLING[a.downsampling]}"))
    maps = ", ".join(f"{part.size} x {part.size} with {part.channels} channels" for part in parts[1:5])
    label = (
        f"Network for a {design.size} px image: stem {stem_text(a)}; four stages of {', '.join(map(str, a.depths))} blocks; "
        f"maps {maps}; between stages {_DOWNSAMPLING[a.downsampling]}; head for 1000 classes."
    )
    return svg(_ARROW + "".join(shapes), 752, 252, label)


_ARROW = (
    '<defs><marker id="ax-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    f'<path d="M0 0 L8 4 L0 8 z" fill="{INK}"/></marker></defs>'
)
_WIDTHS = {"conv": 84, "norm": 34, "act": 48, "scale": 46}


def block_svg(design: Design) -> str:
    """Return a diagram of a block of stage 1; the height of a convolution represents its number of output channels."""
    a = design.architecture
    layers = branch(a)
    widest = max(layer.channels for layer in layers)
    middle, x, shapes = 96.0, 52.0, []
    shapes.append(line(8, middle, 46, middle, INK, 'marker-end="url(#ax-arrow)"'))
    for layer in layers:
        width = _WIDTHS[layer.kind]
        if layer.kind == "conv":
            height = max(34.0, 96 * layer.channels / widest)
            shapes.append(rect(x, middle - height / 2, width, height, BLUE, 'rx="3"'))
            shapes.append(text(x + width / 2, middle - 2, layer.name, more='fill="#ffffff" font-weight="bold"'))
            shapes.append(text(x + width / 2, middle + 12, f"{layer.channels:,} ch", size=11, more='fill="#ffffff"'))
        else:
            stroke = {"norm": GREEN, "act": ORANGE}.get(layer.kind, GREY)
            shapes.append(
                rect(
                    x, middle - 12, width, 24, "#ffffff", f'rx="{4 if layer.kind == "norm" else 12}" stroke="{stroke}"'
                )
            )
            shapes.append(text(x + width / 2, middle + 4, layer.name))
        x += width + 5
    shapes.append(line(x, middle, x + 14, middle, INK, 'marker-end="url(#ax-arrow)"'))
    plus = x + 26
    shapes.append(f'<circle cx="{plus:.1f}" cy="{middle:.1f}" r="11" fill="#ffffff" stroke="{INK}"/>')
    shapes.append(text(plus, middle + 5, "+", size=16))
    shapes.append(path(f"M28 {middle:.0f} V32 H{plus:.1f} V{middle - 13:.0f}", INK, 'marker-end="url(#ax-arrow)"'))
    shapes.append(text((28 + plus) / 2, 26, "shortcut"))
    after = ""
    if a.activations == "every":
        after = f", {_short_name(a.activation, _ACTIVATIONS)} after the addition"
        shapes.append(rect(plus + 16, middle - 12, 48, 24, "#ffffff", f'rx="12" stroke="{ORANGE}"'))
        shapes.append(text(plus + 40, middle + 4, _short_name(a.activation, _ACTIVATIONS)))
    described = ", ".join(
        f"{layer.name} to {layer.channels} channels" if layer.kind == "conv" else layer.name for layer in layers
    )
    return svg(_ARROW + "".join(shapes), 752, 152, f"A block of stage 1: {described}; added to the shortcut{after}.")
