"""Figure of one value after batch normalisation, with different other images in its batch."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import BLUE, COLUMN_INCHES, ORANGE, SMALL, TEXT, quiet

DRAWS = 400  # batches


def normalised_value(value: float, batch: int, positions: int) -> NDArray[np.float64]:
    """Return one value after batch normalisation in each of 400 batches.

    Everything else in the channel is drawn from a normal distribution with mean 0 and standard deviation 1: the other positions
    of its own image, which stay the same, and the other images, which are drawn anew for each batch.

    Args:
        value: value before normalisation.
        batch: number of images, 2 or more.
        positions: number of positions of each image.

    Returns:
        (400,) values, without the learnt scale and shift.

    >>> sorted({float(v) for v in normalised_value(0.5, 2, 1).round(2)})
    [-1.0, 1.0]
    """
    draw = np.random.default_rng(0)
    own = np.concatenate([[value], draw.normal(size=positions - 1)])
    others = draw.normal(size=(DRAWS, (batch - 1) * positions))
    channel = np.concatenate([np.tile(own, (DRAWS, 1)), others], axis=1)
    return np.asarray((value - channel.mean(1)) / channel.std(1))


def plot_batch_noise(values: NDArray[np.float64], value: float) -> Figure:
    """Draw the distribution of a value after batch normalisation, and a line at the value that many images lead to.

    Args:
        values: as `normalised_value` returns them.
        value: value before normalisation; with mean 0 and standard deviation 1 it would not change.
    """
    figure = Figure(figsize=(2 * COLUMN_INCHES, 2.2))
    axes = figure.subplots()
    axes.stairs(*np.histogram(values, np.linspace(-3, 3, 61)), fill=True, color=BLUE)
    axes.axvline(value, color=ORANGE, linewidth=1.6, label="with the statistics of all images")
    axes.legend(fontsize=SMALL, frameon=False, loc="upper left")
    axes.set_xlim(-3, 3)
    quiet(axes, "the value after batch normalisation", f"batches, of {len(values)}")
    axes.xaxis.label.set_fontsize(TEXT)
    figure.subplots_adjust(left=0.09, right=0.99, bottom=0.22, top=0.97)
    return figure
