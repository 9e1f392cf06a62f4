"""The explorer as a static figure, for pages without a kernel."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ..style import BLUE, GREEN, GREY, ORANGE, PAGE_INCHES, RED, SMALL, TEXT, new_figure, quiet, strip_axes
from .field import PHOTOGRAPH, field_text
from .panels import short_title
from .pareto import FRONT, POINTS
from .state import RUNGS, Design

_MAX_BLOCKS = 9


def describe(design: Design) -> str:
    """Return the alt text of the figure."""
    cost, rung = design.cost, design.rung
    name = f"the rung {short_title(rung.title)}" if rung else f"no rung, nearest to {short_title(design.nearest.title)}"
    published = f", {rung.published.accuracy:.2f} % top-1 in the paper" if rung and rung.published else ""
    field = field_text(design).removesuffix(".")
    return (
        f"The explorer at {name}{published}: {cost.params / 1e6:.2f} M parameters, {cost.macs / 1e9:.2f} G MACs at "
        f"{design.size} px. Its four stages, the receptive field over a photograph ({field}) and its place among the rungs, "
        "accuracy against MACs."
    )


def plot_design(design: Design, figure: Figure | None = None) -> Figure:
    """Plot the four stages, the receptive field on a photograph, and accuracy against MACs.

    Args:
        design: the design to draw.
        figure: figure to draw into; a new one by default.

    Returns:
        The figure, with three axes.
    """
    figure = figure or new_figure(PAGE_INCHES, 5.2)
    grid = figure.add_gridspec(2, 2, height_ratios=(1, 1.5))
    plot_stages(design, figure.add_subplot(grid[0, :]))
    plot_field(design, figure.add_subplot(grid[1, 0]))
    plot_rungs(design, figure.add_subplot(grid[1, 1]))
    return figure


def plot_stages(design: Design, axes: Axes) -> Axes:
    """Draw each stage as a square whose side represents its map, with further squares behind it for its blocks."""
    a, parts = design.architecture, design.cost.stages[1:5]
    largest = max(parts[0].size, 1)
    for i, part in enumerate(parts):
        side = 0.62 * max(0.1, (part.size / largest) ** 0.5)
        for j in reversed(range(min(a.depths[i], _MAX_BLOCKS))):
            face = BLUE if j == 0 else (0.81, 0.89, 0.95)
            axes.add_patch(
                Rectangle((1.5 * i + 0.05 * j, 0.05 * j), side, side, facecolor=face, edgecolor="white", linewidth=0.6)
            )
        blocks = f"{a.depths[i]} block{'s'[: a.depths[i] > 1]}, field {_px(part.receptive_field)}"
        caption = f"stage {i + 1}\nmap {part.size} x {part.size}\n{part.channels:,} channels\n{blocks}"
        axes.text(1.5 * i, -0.08, caption, fontsize=TEXT, va="top")
    axes.set_xlim(-0.05, 6)
    axes.set_ylim(-0.62, 1.04)
    axes.set_aspect("equal")
    rung = design.rung
    strip_axes(axes)
    published = f"; top-1 {rung.published.accuracy:.2f} % in the paper" if rung and rung.published else ""
    axes.set_title(
        f"{short_title(rung.title) if rung else 'No rung of the ladder'}: {design.cost.params:,} parameters, "
        f"{design.cost.macs:,} MACs at {design.size} px{published}",
        fontsize=TEXT,
        loc="left",
    )
    return axes


def _px(field: int | None) -> str:
    return "all" if field is None else f"{field:,} px"


def plot_field(design: Design, axes: Axes) -> Axes:
    """Draw the photograph with a centred square for the receptive field of each stage."""
    from ...measure.images import photograph

    half = design.size / 2
    pixels = np.asarray(photograph(PHOTOGRAPH).pixels)
    side = min(pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    axes.imshow(pixels[top : top + side, left : left + side], extent=(-half, half, -half, half))
    styles = zip((BLUE, GREEN, ORANGE, RED), (":", "--", "-.", "-"), strict=True)
    reach = half
    for i, (part, (colour, dashes)) in enumerate(zip(design.cost.stages[1:5], styles, strict=True)):
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
    strip_axes(axes)
    axes.set_title(f"Receptive fields, image of {design.size} px", fontsize=TEXT, loc="left")
    return axes


def plot_rungs(design: Design, axes: Axes) -> Axes:
    """Plot the paper's accuracy against MACs for every rung, with a line at the MACs of the design."""
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
        rung_macs = Design(rung.architecture).cost.macs / 1e9
        axes.scatter(
            [rung_macs], [rung.published.accuracy], s=70, facecolors="none", edgecolors=[RED], linewidths=1.4, zorder=3
        )
    axes.grid(axis="y", color=GREY, linewidth=0.3)
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left")
    return quiet(axes, "multiply-accumulates (G)", "paper's top-1 (%)", "Rungs of the ladder, and this design")
