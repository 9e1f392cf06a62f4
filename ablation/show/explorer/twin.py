"""What the explorer shows as one still figure, for a page without a kernel."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..style import BLUE, GREEN, GREY, ORANGE, PAGE_INCHES, RED, SMALL, TEXT, bare, new_figure, quiet
from .field import PHOTOGRAPH, field_words
from .panels import short
from .pareto import FRONT, POINTS
from .state import RUNGS, Design

_MOST_BLOCKS = 9


def describe(design: Design) -> str:
    """The figure in words."""
    price, rung = design.cost, design.rung
    place = f"the rung {short(rung.title)}" if rung else f"no rung, nearest to {short(design.nearest.title)}"
    published = f", {rung.published.accuracy:.2f} % top-1 in the paper" if rung and rung.published else ""
    field = field_words(design).removesuffix(".")
    return (
        f"The explorer at {place}{published}: {price.params / 1e6:.2f} M parameters, {price.macs / 1e9:.2f} G MACs at "
        f"{design.size} px. Its four stages, the receptive field over a photograph ({field}) and its place among the rungs, "
        "accuracy against MACs."
    )


def plot_design(design: Design, figure: Figure | None = None) -> Figure:
    """The four stages, the receptive field over a photograph, and the place among the rungs.

    Args:
        design: what to draw.
        figure: to draw into; a new one by default.

    Returns:
        The figure, with three axes.
    """
    figure = figure or new_figure(PAGE_INCHES, 5.2)
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.5))
    plot_stages(design, figure.add_subplot(grid[0, :]))
    plot_field(design, figure.add_subplot(grid[1, 0]))
    plot_place(design, figure.add_subplot(grid[1, 1]))
    return figure


def plot_stages(design: Design, axes: Axes) -> Axes:
    """Each stage as a square as wide as its map, with squares behind it for its blocks."""
    a, parts = design.architecture, design.cost.stages[1:5]
    largest = max(parts[0].size, 1)
    for i, part in enumerate(parts):
        side = 0.62 * max(0.1, (part.size / largest) ** 0.5)
        for j in reversed(range(min(a.depths[i], _MOST_BLOCKS))):
            face = BLUE if j == 0 else (0.81, 0.89, 0.95)
            axes.add_patch(
                Rectangle((1.5 * i + 0.05 * j, 0.05 * j), side, side, facecolor=face, edgecolor="white", linewidth=0.6)
            )
        blocks = f"{a.depths[i]} block{'s'[: a.depths[i] > 1]}, field {_px(part.receptive_field)}"
        words = f"stage {i + 1}\nmap {part.size} x {part.size}\n{part.channels:,} channels\n{blocks}"
        axes.text(1.5 * i, -0.08, words, fontsize=TEXT, va="top")
    axes.set_xlim(-0.05, 6)
    axes.set_ylim(-0.62, 1.04)
    axes.set_aspect("equal")
    rung = design.rung
    bare(axes)
    published = f"; top-1 {rung.published.accuracy:.2f} % in the paper" if rung and rung.published else ""
    axes.set_title(
        f"{short(rung.title) if rung else 'No rung of the ladder'}: {design.cost.params:,} parameters, "
        f"{design.cost.macs:,} MACs at {design.size} px{published}",
        fontsize=TEXT,
        loc="left",
    )
    return axes


def _px(field: int | None) -> str:
    return "all" if field is None else f"{field:,} px"


def plot_field(design: Design, axes: Axes) -> Axes:
    """The photograph, and a square for what a position of each stage can see."""
    from ...measure.images import photograph

    half = design.size / 2
    pixels = np.asarray(photograph(PHOTOGRAPH).pixels)
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    axes.imshow(pixels[top : top + side, left : left + side], extent=(-half, half, -half, half))
    looks = zip((BLUE, GREEN, ORANGE, RED), (":", "--", "-.", "-"), strict=True)
    reach = half
    for i, (part, (colour, dashes)) in enumerate(zip(design.cost.stages[1:5], looks, strict=True)):
        if part.receptive_field is not None:
            field = part.receptive_field / 2
            reach = max(reach, field)
            axes.add_patch(
                Rectangle((-field, -field), 2 * field, 2 * field, fill=False, edgecolor=colour, linestyle=dashes)
            )
        axes.plot([], [], color=colour, linestyle=dashes, label=f"stage {i + 1}: {_px(part.receptive_field)}")
    axes.set_xlim(-1.04 * reach, 1.04 * reach)
    axes.set_ylim(-1.04 * reach, 1.04 * reach)
    axes.legend(fontsize=SMALL, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    bare(axes)
    axes.set_title(f"Receptive fields, image of {design.size} px", fontsize=TEXT, loc="left")
    return axes


def plot_place(design: Design, axes: Axes) -> Axes:
    """The paper's accuracy against MACs for every rung, and a line at the design's own."""
    filled = [i in FRONT for i in range(len(POINTS))]
    x, y = [point[0] for point in POINTS], [point[1] for point in POINTS]
    axes.scatter(
        x, y, s=16, c=[BLUE if fill else "white" for fill in filled], edgecolors=[BLUE], linewidths=0.8, zorder=2
    )
    front = sorted((x[i], y[i]) for i in FRONT)
    axes.plot(
        *zip(*front, strict=True), color=ORANGE, linewidth=1.2, drawstyle="steps-post", zorder=0, label="Pareto front"
    )
    macs, rung = design.cost.macs / 1e9, design.rung
    axes.axvline(macs, color=RED, linestyle="--", linewidth=1, zorder=1, label=f"this design, {macs:.2f} G")
    if rung in RUNGS and rung is not None and rung.published is not None:
        place = Design(rung.architecture).cost.macs / 1e9
        axes.scatter(
            [place], [rung.published.accuracy], s=70, facecolors="none", edgecolors=[RED], linewidths=1.4, zorder=3
        )
    axes.grid(axis="y", color=GREY, linewidth=0.3)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left")
    return quiet(axes, "multiply-accumulates (G)", "paper's top-1 (%)", "Rungs of the ladder, and this design")
