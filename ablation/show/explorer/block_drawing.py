"""One block as a drawing: channels as thickness, lines between channels, norms and activations where they stand.

A full convolution joins every channel to every other, a depthwise one each channel to itself. A dashed slot is a place where
a block of this family can have a norm or an activation and this one has none.
"""

from __future__ import annotations

from collections.abc import Sequence, Set

from .amounts import short
from .branches import Layer, Unit
from .svg import arrow, colour, marked, part, path, rect, text

WIDTH, HEIGHT = 336.0, 424.0
SHORT = 364.0  # height of a block with one residual branch
_MIDDLE, _THICK = 96.0, 142.0  # x of the middle of the channels, width of the widest
_LABEL, _SHORTCUT, _RIGHT = 176.0, 10.0, WIDTH - 3
_CONV, _RAIL, _SLOT, _ADD = 38.0, 9.0, 15.0, 25.0  # heights
_FRAME = 17.0  # x of the frames, right of the shortcut
_DOTS, _FONT, _SMALL = 6.2, 14.5, 13.8  # px between two drawn channels; sizes of text
_BAR = {"norm": "green", "act": "orange", "scale": "grey"}


def draw_block(title: str, units: Sequence[Unit], widest: int, changed: Set[int] = frozenset()) -> str:
    """Return the shapes of a block, from its input at the top to its output at the bottom.

    Args:
        title: its heading.
        units: its residual branches.
        widest: number of channels that is drawn as the full thickness.
        changed: places of the first branch that get a frame: indices of its slots, and their number for the place after the
            addition.
    """
    pen = _Pen(widest, changed)
    weights = sum(layer.weights for unit in units for layer in unit.layers)
    shapes = [
        text(0, 15, title, "start", 15, 'font-weight="bold"'),
        part("block-weights", text(0, 34, f"{_exact(weights)} weights", "start", _FONT, f'fill="{colour("soft")}"')),
        arrow(_MIDDLE, 42, _MIDDLE, 58),
    ]
    pen.y = 58
    shapes.append(pen.rail(units[0].before))
    for number, unit in enumerate(units):
        shapes.append(pen.unit(unit, number))
    shapes.append(arrow(_MIDDLE, pen.y, _MIDDLE, pen.y + 15))
    return "".join(shapes)


class _Pen:
    """Draws downwards and keeps the height it has reached."""

    def __init__(self, widest: int, changed: Set[int]) -> None:
        self.widest, self.changed = widest, changed
        self.y = 0.0

    def thickness(self, channels: int) -> float:
        return max(8.0, _THICK * min(1.0, channels / self.widest))

    def rail(self, channels: int) -> str:
        width = self.thickness(channels)
        x = _MIDDLE - width / 2
        shape = rect(x, self.y, width, _RAIL, colour("pale"), f'rx="3" stroke="{colour("blue")}"')
        self.y += _RAIL
        return shape

    def unit(self, unit: Unit, number: int) -> str:
        start = self.y - _RAIL / 2
        shapes, channels, convs = [], unit.before, 0
        for place, layer in enumerate(unit.slots):
            top = self.y
            if layer is not None and layer.kind in ("conv", "attention"):
                convs += 1
                shapes.append(part(f"block-{number}-layer-{convs}", self.framed(place, top, self.conv(layer))))
                channels = layer.channels
            else:
                kind = layer.kind if layer else "slot"
                shape = self.framed(place, top, self.bar(layer, channels))
                shapes.append(part(f"block-{number}-{len(shapes)}-{kind}", shape))
        self.y += 2
        middle = self.y + _ADD / 2
        shapes.append(
            path(
                f"M{_MIDDLE - self.thickness(unit.before) / 2:.1f} {start:.1f}H{_SHORTCUT:g}V{middle:.1f}"
                f"H{_MIDDLE - 10:g}",
                more='stroke-width="1.5"',
            )
        )
        shapes.append(
            f'<circle cx="{_MIDDLE:g}" cy="{middle:.1f}" r="9" fill="{colour("paper")}" stroke="{colour("ink")}" '
            f'stroke-width="1.5"/>'
        )
        shapes.append(
            path(f"M{_MIDDLE - 5:g} {middle:.1f}h10M{_MIDDLE:g} {middle - 5:.1f}v10", more='stroke-width="1.5"')
        )
        shapes.append(text(_LABEL, middle + 4.5, "add the shortcut", "start", _SMALL, f'fill="{colour("soft")}"'))
        self.y += _ADD + 2
        if unit.can_follow:
            top = self.y
            shape = self.framed(len(unit.slots), top, self.bar(unit.after, unit.before))
            shapes.append(part(f"block-{number}-after", shape))
        return "".join(shapes)

    def framed(self, place: int, top: float, shape: str) -> str:
        """Return what was drawn from `top` to here, in a frame if its place is marked."""
        if place not in self.changed:
            return shape
        return marked(_FRAME, top, WIDTH - _FRAME, self.y - top) + shape

    def bar(self, layer: Layer | None, channels: int) -> str:
        """Draw a norm, an activation or a scale over all channels, or an empty slot."""
        width = self.thickness(channels)
        x, y = _MIDDLE - width / 2, self.y + 2
        self.y += _SLOT
        if layer is None:
            return rect(x, y + 2, width, _SLOT - 8, "none", f'rx="3" stroke="{colour("grey")}" stroke-dasharray="2 3"')
        shape = rect(x, y, width, _SLOT - 4, colour(_BAR[layer.kind]), f'rx="{2 if layer.kind == "norm" else 5.5}"')
        return shape + text(_LABEL, y + 10, layer.name, "start", _SMALL)

    def conv(self, layer: Layer) -> str:
        """Draw the lines from the input to the output channels of a layer, its output, and its name."""
        top, bottom = self.y, self.y + _CONV
        first, second = self.dots(layer.before), self.dots(layer.channels)
        if layer.kind == "attention":
            third = len(second)
            pairs = [(first[j * len(first) // (3 * third)], second[j % third]) for j in range(3 * third)]
        elif layer.depthwise:
            pairs = list(zip(first, second, strict=True))
        else:
            pairs = [(x, y) for x in first for y in second]
        stroke = 'stroke-width="1.8"' if layer.depthwise else 'stroke-width="0.8" opacity="0.75"'
        lines = "".join(f"M{x:.0f} {top:.0f}L{y:.0f} {bottom:.0f}" for x, y in pairs)
        self.y = bottom
        shapes = path(lines, colour("orange" if layer.kind == "attention" else "blue"), stroke)
        shapes += self.rail(layer.channels)
        return shapes + _label(layer, top) + _kernel(layer, top)

    def dots(self, channels: int) -> list[float]:
        """Return the positions of the drawn channels; their number grows with that of the channels."""
        width = self.thickness(channels) - 6
        number = max(2, round(width / _DOTS) + 1)
        return [_MIDDLE - width / 2 + width * i / (number - 1) for i in range(number)]


def _exact(weights: int) -> str:
    """Return all digits of a number of weights, or few of one that would not fit."""
    return f"{weights:,}" if weights < 100_000_000 else short(weights, "params")


def _label(layer: Layer, top: float) -> str:
    soft = f'fill="{colour("soft")}"'
    if layer.kind == "attention":
        lines = ("attention", f"in {layer.kernel}x{layer.kernel} windows")
    elif layer.depthwise:
        lines = (f"{layer.name.removesuffix(' dw')} depthwise", f"{_exact(layer.weights)} weights")
    else:
        lines = (f"{layer.name}, {layer.before:,} → {layer.channels:,}", f"{_exact(layer.weights)} weights")
    return text(_LABEL, top + 17, lines[0], "start", _FONT) + text(_LABEL, top + 33, lines[1], "start", _SMALL, soft)


def _kernel(layer: Layer, top: float) -> str:
    """Draw the window of positions that a kernel larger than 1x1 sees."""
    k = layer.kernel
    if k < 2:
        return ""
    cell = min(3.1, 34 / k)
    side = cell * k
    x, y = _RIGHT - side, top + _CONV / 2 + 2 - side / 2
    fill = colour("orange" if layer.kind == "attention" else "blue")
    shape = rect(x, y, side, side, fill)
    if cell < 2:
        return shape
    cuts = "".join(f"M{x + i * cell:.1f} {y:.1f}v{side:.1f}M{x:.1f} {y + i * cell:.1f}h{side:.1f}" for i in range(1, k))
    return shape + path(cuts, colour("paper"), 'stroke-width="0.7"')
