"""Diagrams of a network: its stem, stages and head as the tensors between them, and one of its blocks."""

from __future__ import annotations

from collections.abc import Sequence

from ...design.architecture import Architecture
from ...design.cost import StageCost
from .amounts import short
from .block_drawing import SHORT, WIDTH, draw_block
from .branches import activation_name, branch, unit
from .state import Design
from .svg import arrow, colour, marked, part, path, rect, svg, text

_TILE, _TALL = 146.0, 250.0  # size of the drawing of one part
_FACE, _DEPTH = 84.0, 52.0  # largest side of a map, and thickness of _CHANNELS channels
_CHANNELS = 2048
_LEFT, _BASE, _FONT = 20.0, 152.0, 13.0
_MAX_BLOCKS = 10  # drawn per stage; the text gives the full number
_BETWEEN = {"block": "stride 2 in block 1", "separate": "norm, 2x2 stride 2", "pool": "norm, 2x2 pool, 1x1"}


def stem_text(a: Architecture) -> str:
    """Return a short description of the stem."""
    if a.stem == "patchify":
        return f"{a.stem_stride}x{a.stem_stride} stride {a.stem_stride}"
    return {1: "3x3", 2: "7x7 stride 2", 4: "7x7 stride 2, pool"}[a.stem_stride]


def network_svg(design: Design, compared_with: Architecture | None = None, tiles: Sequence[int] = range(6)) -> str:
    """Return a drawing of the stem, the four stages and the head, which wraps on a narrow page.

    Each stage is drawn as its output tensor, to scale: the face is the map, the thickness the number of channels.

    Args:
        design: the network and the size of its image.
        compared_with: another network; the parts outside the blocks that differ from it get a frame.
        tiles: what is drawn: 0 is the stem, 1 to 4 are the stages, 5 is the head.
    """
    a, parts = design.architecture, design.cost.stages
    deepest = max(_CHANNELS, *a.out_channels)
    shapes = [_stem(design, parts[0])]
    shapes += [_stage(design, i, deepest) for i in range(4)]
    shapes.append(_head(design, parts[5], deepest))
    if compared_with:
        shapes = [_frames(a, compared_with, i) + shape for i, shape in enumerate(shapes)]
    maps = ", ".join(f"{one.size} x {one.size} with {one.channels} channels" for one in parts[1:5])
    label = (
        f"Network for a {design.size} px image: stem {stem_text(a)}; four stages of {', '.join(map(str, a.depths))} blocks; "
        f"maps {maps}; between stages {_BETWEEN[a.downsampling]}; head for 1000 classes."
    )
    drawn = "".join(svg(shapes[i], _TILE, _TALL, "", 1.15) for i in tiles)
    return f'<div class="ax-network" role="img" aria-label="{label}">{drawn}</div>'


def _frames(a: Architecture, b: Architecture, tile: int) -> str:
    """Return frames for what differs between two networks in a tile."""
    heading, blocks, drawing = (-4.0, 42.0), (155.0, 22.0), (-4.0, 177.0)  # y and height
    if tile == 0:
        norms = [x.stem == "patchify" and x.has_downsampling_layers for x in (a, b)]
        found = [drawing] if a.stem != b.stem else [heading] * (norms[0] != norms[1])
    elif tile == 5:
        found = [heading] * (a.has_downsampling_layers != b.has_downsampling_layers)
    else:
        found = [blocks] * (a.depths[tile - 1] != b.depths[tile - 1])
        found += [heading] * (tile > 1 and a.downsampling != b.downsampling)
    return "".join(marked(-5, y, _TILE + 7, height) for y, height in found)


def block_svg(design: Design) -> str:
    """Return a drawing of a block of stage 1."""
    here = unit(design.architecture)
    widest = max(384, *(layer.channels for layer in here.layers))
    return svg(draw_block("A block of stage 1", (here,), widest), WIDTH, SHORT, block_text(design.architecture), 1.15)


def block_text(a: Architecture) -> str:
    """Return a description of a block of stage 1 in words."""
    described = ", ".join(
        f"{layer.name} to {layer.channels} channels" if layer.kind == "conv" else layer.name for layer in branch(a)
    )
    after = f", {activation_name(a)} after the addition" if a.activations == "every" else ""
    return f"A block of stage 1: {described}; added to the shortcut{after}."


def _heading(title: str, detail: str) -> str:
    soft = f'fill="{colour("soft")}"'
    return text(0, 14, title, "start", 14, 'font-weight="bold"') + text(0, 32, detail, "start", _FONT, soft)


def _lines(design: Design, one: StageCost, *lines: str) -> str:
    """Return the text below a part, its multiply-accumulates, and a bar for their share."""
    share = one.macs / design.cost.macs
    shapes = [text(0, 190 + 17 * i, content, "start", _FONT) for i, content in enumerate(lines)]
    shapes.append(text(0, 224, f"{short(one.macs)} MACs, {_percent(share)}", "start", _FONT))
    shapes.append(rect(0, 231, 132, 7, colour("grid"), 'rx="3.5"'))
    shapes.append(rect(0, 231, max(1.0, 132 * share), 7, colour("blue"), 'rx="3.5"'))
    return "".join(shapes)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.005 or share == 0 else "<1 %"


def _tensor(x: float, side: float, thickness: float) -> str:
    """Return a block in parallel projection: the face is the map, the depth its channels."""
    d = 0.6 * thickness
    y = _BASE - side
    stroke = f'stroke="{colour("paper")}" stroke-width="0.8"'
    top = f"M{x:.1f} {y:.1f}l{d:.1f} {-d:.1f}h{side:.1f}l{-d:.1f} {d:.1f}Z"
    flank = f"M{x + side:.1f} {y:.1f}l{d:.1f} {-d:.1f}v{side:.1f}l{-d:.1f} {d:.1f}Z"
    return (
        f'<path d="{top}" fill="{colour("blue")}" opacity="0.45" {stroke}/>'
        f'<path d="{flank}" fill="{colour("blue")}" opacity="0.7" {stroke}/>'
        + rect(x, y, side, side, colour("blue"), stroke)
    )


def _stem(design: Design, one: StageCost) -> str:
    """Draw a corner of the image, 16 x 16 pixels, with the windows of the first convolution."""
    a = design.architecture
    pixel, x, y = 6.0, 6.0, 50.0
    side = 16 * pixel
    grid = "".join(f"M{x + i * pixel:g} {y:g}v{side:g}M{x:g} {y + i * pixel:g}h{side:g}" for i in range(17))
    shapes = [rect(x, y, side, side, colour("card")), path(grid, colour("line"), 'stroke-width="0.6"')]
    kernel = a.stem_stride if a.stem == "patchify" else 3 if a.stem_stride == 1 else 7
    stride = a.stem_stride if a.stem == "patchify" else min(a.stem_stride, 2)
    orange = f'stroke="{colour("orange")}" stroke-width="2" fill-opacity="0.25"'
    number = 4 if a.stem == "patchify" and stride == 4 else 3
    for i in range(number):
        for j in range(number if a.stem == "patchify" else 1):
            window = (x + i * stride * pixel, y + j * stride * pixel)
            shapes.append(rect(*window, kernel * pixel, kernel * pixel, colour("orange"), orange))
    overlap = "patches side by side" if a.stem == "patchify" else "windows overlap"
    shapes.append(text(x, y + side + 16, overlap, "start", _FONT, f'fill="{colour("soft")}"'))
    detail = stem_text(a) + (", norm" if a.stem == "patchify" and a.has_downsampling_layers else "")
    shapes.append(_lines(design, one, f"{one.size} x {one.size}", f"{one.channels:,} channels"))
    return part("stem", _heading("stem", detail) + "".join(shapes))


def _stage(design: Design, i: int, deepest: int) -> str:
    a, one = design.architecture, design.cost.stages[i + 1]
    side = max(3.0, _FACE * one.size / max(design.cost.stages[0].size, 1))
    detail = _BETWEEN[a.downsampling] if i else "from the stem"
    shapes = [
        part(f"stage-{i + 1}-entry", _heading(f"stage {i + 1}", detail)),
        arrow(0, _BASE - 10, 15, _BASE - 10, colour("orange") if i else ""),
        part(f"stage-{i + 1}-map", _tensor(_LEFT, side, max(1.5, _DEPTH * one.channels / deepest))),
    ]
    depth = a.depths[i]
    glyphs = [rect(10 * j, 160, 8, 13, colour("blue"), 'rx="2"') for j in range(min(depth, _MAX_BLOCKS))]
    if a.downsampling == "block" and i:
        glyphs[0] = rect(0, 160, 8, 13, colour("orange"), 'rx="2"')
    glyphs.append(text(10 * min(depth, _MAX_BLOCKS) + 2, 171, f"x {depth:,}", "start", _FONT))
    shapes.append(part(f"stage-{i + 1}-blocks", "".join(glyphs)))
    lines = _lines(design, one, f"{one.size} x {one.size}", f"{one.channels:,} channels")
    shapes.append(part(f"stage-{i + 1}-numbers", lines))
    return "".join(shapes)


def _head(design: Design, one: StageCost, deepest: int) -> str:
    """Draw the pooled vector, its lines to the classes, and the classes, whose lengths are to scale."""
    channels = design.cost.stages[4].channels
    scale = 100 / deepest
    first, second = max(4.0, channels * scale), max(4.0, 1000 * scale)
    middle, left, right = 102.0, 40.0, 104.0
    ends = [(first * (k / 7 - 0.5), second * (m / 7 - 0.5)) for k in range(8) for m in range(8)]
    fan = "".join(f"M{left + 8:g} {middle + p:.1f}L{right:g} {middle + q:.1f}" for p, q in ends)
    has_norm = design.architecture.has_downsampling_layers
    shapes = [
        _heading("head", "average pool" + (", norm" if has_norm else "")),
        arrow(0, middle, 30, middle),
        path(fan, colour("blue"), 'stroke-width="0.8" opacity="0.7"'),
        rect(left, middle - first / 2, 8, first, colour("blue"), 'rx="2"'),
        rect(right, middle - second / 2, 8, second, colour("green"), 'rx="2"'),
        _lines(design, one, f"{channels:,} channels", "to 1,000 classes"),
    ]
    return part("head", "".join(shapes))
