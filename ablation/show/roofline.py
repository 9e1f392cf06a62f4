"""The roofline model: the speed that layers achieve, against the limits of the machine's memory and arithmetic.

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
    """The measured speed of one layer.

    Args:
        name: name of the layer.
        work: MACs and bytes of one call.
        seconds: duration of that call.
    """

    name: str
    work: Work
    seconds: float

    @property
    def macs_per_second(self) -> float:
        """Achieved speed."""
        return self.work.macs / self.seconds


def roof(intensity: float, macs_per_second: float, bytes_per_second: float) -> float:
    """Return the maximum number of multiply-accumulates per second that a layer of this intensity can reach.

    Args:
        intensity: MACs per byte.
        macs_per_second: limit of the arithmetic.
        bytes_per_second: limit of the memory.

    >>> roof(2.0, 100.0, 10.0), roof(50.0, 100.0, 10.0)
    (20.0, 100.0)
    """
    return min(macs_per_second, intensity * bytes_per_second)


def plot_roofline(
    points: Sequence[Point], macs_per_second: float, bytes_per_second: float, axes: Axes | None = None
) -> Axes:
    """Plot achieved speed against arithmetic intensity, with the two roofs, on logarithmic axes.

    Args:
        points: the layers.
        macs_per_second: speed of the machine for one large matrix product.
        bytes_per_second: speed of the machine for copying memory.
        axes: axes to draw into; new axes by default.

    Returns:
        The axes.
    """
    axes = axes or new_figure(1.6 * COLUMN_INCHES, 2.9).subplots()
    ridge = macs_per_second / bytes_per_second
    intensities = [point.work.intensity for point in points]
    left, right = min(*intensities, ridge) / 2, max(*intensities, ridge) * 3
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
        axes,
        "arithmetic intensity (MACs per byte)",
        "achieved (G MACs per second)",
        f"Ridge: {ridge:.1f} MACs per byte",
    )
