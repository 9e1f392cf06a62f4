"""Which elements of a batch of maps a norm averages, drawn as a block of images, channels and positions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from .style import BLUE, PAGE_INCHES, QUIET, SMALL, TEXT, new_figure

Member = Callable[[int, int, int], bool]
Point = tuple[float, float]

IMAGES, CHANNELS, POSITIONS = 4, 6, 5  # of the block that is drawn
_DEPTH = (0.42, 0.32)  # of an image behind another, on the page
_SHADES = {"front": 1.0, "side": 0.82, "top": 0.92}  # of the three faces that can be seen
_PLAIN = (0.93, 0.93, 0.93)

NORMS: Mapping[str, Member] = {
    "BatchNorm: one mean per channel": lambda image, channel, position: channel == CHANNELS - 3,
    "LayerNorm: one mean per image and position": lambda image, channel, position: (
        image == 0 and position == POSITIONS - 1
    ),
}


def plot_norm_axes(norms: Mapping[str, Member] = NORMS, figure: Figure | None = None) -> Figure:
    """Draw one block for each norm, with the elements of one mean in colour.

    Args:
        norms: title -> whether the element of an image, a channel and a position, counted from 0, belongs to that mean.
        figure: figure to draw into; a new one by default.
    """
    figure = figure or new_figure(PAGE_INCHES, 2.6)
    for axes, (title, member) in zip(figure.subplots(1, len(norms), squeeze=False).flat, norms.items(), strict=True):
        draw_block(axes, member)
        axes.set_title(title, fontsize=TEXT)
    return figure


def draw_block(axes: Axes, member: Member) -> None:
    """Draw the block: channels to the right, positions upwards, images to the back."""
    for image in reversed(range(IMAGES)):
        for channel in range(CHANNELS):
            for position in range(POSITIONS):
                colour = BLUE if member(image, channel, position) else _PLAIN
                for face, shown in (
                    ("front", image == 0),
                    ("side", channel == CHANNELS - 1),
                    ("top", position == POSITIONS - 1),
                ):
                    if shown:
                        shade = tuple(_SHADES[face] * part for part in colour)
                        axes.add_patch(Polygon(corners(face, image, channel, position), fc=shade, ec="white", lw=1))
    axes.text(CHANNELS / 2, -0.25, "channels C", ha="center", va="top", fontsize=SMALL, color=QUIET)
    axes.text(-0.25, POSITIONS / 2, "positions H, W", ha="right", va="center", rotation=90, fontsize=SMALL, color=QUIET)
    across, up = (_IMAGES_MIDDLE * step for step in _DEPTH)
    axes.text(CHANNELS + across + 0.2, up, "images N", ha="left", va="top", fontsize=SMALL, color=QUIET)
    axes.set(xlim=(-1, CHANNELS + 3.4), ylim=(-1, POSITIONS + IMAGES * _DEPTH[1] + 0.2), aspect="equal")
    axes.set_axis_off()


_IMAGES_MIDDLE = IMAGES / 2


def corners(face: str, image: int, channel: int, position: int) -> list[Point]:
    """Return the corners of a face of one element on the page."""
    unit = {"front": ((1, 0, 0), (0, 1, 0)), "side": ((0, 1, 0), (0, 0, 1)), "top": ((1, 0, 0), (0, 0, 1))}[face]
    start = (channel + (face == "side"), position + (face == "top"), image)
    return [
        project(*(s + a * first + b * second for s, first, second in zip(start, *unit, strict=True)))
        for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]


def project(channel: float, position: float, image: float) -> Point:
    """Return a place on the page."""
    return channel + _DEPTH[0] * image, position + _DEPTH[1] * image
