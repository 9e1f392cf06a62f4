"""The roofline: what a layer achieves, under what the machine's memory and its arithmetic allow.

After Williams et al. 2009 (https://doi.org/10.1145/1498765.1498785), with multiply-accumulates in place of operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ..measure.work import Work
from .style import BLUE, COLUMN_INCHES, GREY, MARKERS, ORANGE, PALETTE, SMALL, new_figure, quiet


@dataclass(frozen=True)
class Point:
    """One layer on the roofline.

    Args:
        name: of the layer.
        work: its MACs and bytes in one call.
        seconds: of that call.
    """

    name: str
    work: Work
    seconds: float

    @property
    def macs_per_second(self) -> float:
        """What it achieves."""
        return self.work.macs / self.seconds


def roof(intensity: float, macs_per_second: float, bytes_per_second: float) -> float:
    """The most multiply-accumulates a second that a layer of this intensity can reach.

    Args:
        intensity: MACs for each byte.
        macs_per_second: what the arithmetic allows.
        bytes_per_second: what the memory allows.

    >>> roof(2.0, 100.0, 10.0), roof(50.0, 100.0, 10.0)
    (20.0, 100.0)
    """
    return min(macs_per_second, intensity * bytes_per_second)


def plot_roofline(
    points: Sequence[Point], macs_per_second: float, bytes_per_second: float, axes: Axes | None = None
) -> Axes:
    """Achieved speed over arithmetic intensity, both logarithmic, under the two roofs.

    Args:
        points: the layers.
        macs_per_second: of the machine, in one large matrix product.
        bytes_per_second: of the machine, in copying.
        axes: to draw into; a new one by default.

    Returns:
        The axes.
    """
    axes = axes or new_figure(1.6 * COLUMN_INCHES, 2.9).subplots()
    ridge = macs_per_second / bytes_per_second
    found = [point.work.intensity for point in points]
    left, right = min(*found, ridge) / 2, max(*found, ridge) * 3
    axes.plot([left, ridge], [left * bytes_per_second / 1e9, macs_per_second / 1e9], color=ORANGE, label="memory roof")
    axes.plot([ridge, right], [macs_per_second / 1e9] * 2, color=BLUE, linestyle="--", label="arithmetic roof")
    axes.axvline(ridge, color=GREY, linewidth=0.8, zorder=0)
    for i, point in enumerate(points):
        axes.plot(
            point.work.intensity,
            point.macs_per_second / 1e9,
            marker=MARKERS[i % len(MARKERS)],
            color=PALETTE[(i + 2) % len(PALETTE)],
            linestyle="none",
            markersize=5,
            label=point.name,
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(left, right)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
    axes.figure.legend(loc="outside right center", fontsize=SMALL, frameon=False)
    return quiet(
        axes, "arithmetic intensity (MACs a byte)", "achieved (G MACs a second)", f"Ridge: {ridge:.1f} MACs a byte"
    )
