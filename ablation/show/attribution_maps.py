"""Figures of attributions as maps: the images in the first row, one network or method in each further row."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from .style import HEAT, PAGE_INCHES, SMALL, TEXT, colour_bar, headline, new_figure, strip_axes, text_inches, wrap

_SIGNED = "PuOr"  # safe for readers with a colour-vision deficiency
_LARGEST_INCHES, _TALLEST_INCHES = 1.05, 8.0  # of a map, and of the figure
_LABEL_INCHES = 1.4  # longest line of a row's name
_LAYOUT_RECT = (0.01, 0.005, 0.98, 0.99)  # left, bottom, width, height: leaves a margin so that no letter is cut off
_CLIP = 99.5  # percentile at which the colour scale ends, so that one outlier does not darken all other pixels
_SCALE_NOTE = "each map has its own scale, of which 1 is the largest value"
_BAR_INCHES = 0.42  # of each colour bar


def plot_attributions(
    images: NDArray[np.float64],
    maps: Mapping[str, NDArray[np.float64]],
    signed: bool | Mapping[str, bool],
    titles: Sequence[str] = (),
    figure: Figure | None = None,
    labels: Mapping[str, Sequence[str]] | None = None,
    note: str = "",
) -> Figure:
    """Plot the images in the first row, and the attributions of one network or method in each further row.

    Args:
        images: (N, H, W) or (N, H, W, 3), with pixel values from 0 to 1.
        maps: name of the row -> (N, H, W).
        signed: whether zero is the centre of the colour scale, for all rows or for each row.
        titles: N titles, one per column.
        figure: figure to draw into; a new one by default.
        labels: name of the row -> N texts, each below its map, such as the prediction.
        note: what was measured, for the line below the title.

    Returns:
        The figure.
    """
    labels = labels or {}
    count = len(images)
    names = {name: wrap(name, _LABEL_INCHES, TEXT) for name in maps}
    margin = 0.1 + max(text_inches(line, TEXT) for text in ["image", *names.values()] for line in text.split("\n"))
    below = 0.14 if labels else 0.0
    panel = min(
        _LARGEST_INCHES, (PAGE_INCHES - margin) / count, (_TALLEST_INCHES - below * len(maps)) / (len(maps) + 1)
    )
    flags = {name: signed if isinstance(signed, bool) else signed[name] for name in maps}
    height = (
        panel * (len(maps) + 1) + below * len(maps) + _BAR_INCHES * len(set(flags.values())) + (0.15 if titles else 0)
    )
    figure = figure or new_figure(max(margin + panel * count, 0.5 * PAGE_INCHES), height)
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(w_pad=0.012, h_pad=0.012, wspace=0, hspace=0, rect=_LAYOUT_RECT)
    panels = figure.subplots(len(maps) + 1, count, squeeze=False)
    for axes, image, title in zip(panels[0], images, [*titles, *[""] * count], strict=False):
        axes.imshow(image, cmap="gray", vmin=0, vmax=1, interpolation="none")
        strip_axes(axes, title)
    _row_label(panels[0, 0], "image")
    for row, (name, values) in zip(panels[1:], maps.items(), strict=True):
        for axes, value, text in zip(row, values, labels.get(name, [""] * count), strict=True):
            plot_attribution(value, axes, flags[name])
            axes.set_xlabel(text, fontsize=SMALL, labelpad=1)
        _row_label(row[0], names[name])
    _colour_bars(figure, panels, set(flags.values()))
    return headline(figure, maps_finding(maps, flags), "; ".join(filter(None, [note, _SCALE_NOTE])))


def maps_finding(maps: Mapping[str, NDArray[np.float64]], signed: Mapping[str, bool]) -> str:
    """Return how alike the maps of the same image are in different rows: the mean correlation of each pair of rows.

    >>> rng = np.random.default_rng(0)
    >>> one = rng.normal(size=(4, 8, 8))
    >>> maps_finding({"a": one, "b": one, "c": -one}, {"a": True, "b": True, "c": True})
    'Maps of the same image are most alike in a and b (r = 1.00), least in a and c (r = -1.00)'
    """
    found = {}
    for a, b in itertools.combinations(maps, 2):
        both = signed[a] and signed[b]
        pairs = ((one.ravel(), other.ravel()) for one, other in zip(maps[a], maps[b], strict=True))
        values = [_correlation(one, other) if both else _correlation(abs(one), abs(other)) for one, other in pairs]
        known = [value for value in values if np.isfinite(value)]
        if known:
            found[a, b] = float(np.mean(known))
    if not found:
        return f"Attributions: {', '.join(maps)}"
    most, least = (choice(found, key=found.__getitem__) for choice in (max, min))
    if len(found) == 1:
        return f"Maps of the same image in {most[0]} and {most[1]} correlate by r = {found[most]:.2f}"
    return (
        f"Maps of the same image are most alike in {most[0]} and {most[1]} (r = {found[most]:.2f}), "
        f"least in {least[0]} and {least[1]} (r = {found[least]:.2f})"
    )


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Pearson's correlation; NaN where a map is constant."""
    one, other = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((one**2).sum() * (other**2).sum()))
    return float((one * other).sum()) / scale if scale else float("nan")


def plot_attribution(values: NDArray[np.float64], axes: Axes, signed: bool) -> Axes:
    """Plot one map, with its colour scale ending at the map's 99.5th percentile.

    Args:
        values: (H, W).
        axes: axes to draw into.
        signed: whether zero is the centre of the colour scale.

    Returns:
        The axes.
    """
    top = float(np.percentile(np.abs(values), _CLIP)) or 1.0
    low, colours = (-top, _SIGNED) if signed else (0.0, HEAT)
    axes.imshow(values, cmap=colours, vmin=low, vmax=top, interpolation="none")
    return strip_axes(axes)


def _row_label(axes: Axes, name: str) -> None:
    axes.set_ylabel(name, fontsize=TEXT, rotation=0, ha="right", va="center", labelpad=4)


def _colour_bars(figure: Figure, panels: NDArray[np.object_], kinds: set[bool]) -> None:
    """Draw a bar for each kind of colour scale in use."""
    for signed in sorted(kinds, reverse=True):
        colours, low = (_SIGNED, -1) if signed else (HEAT, 0)
        label = "against the class ... for the class" if signed else "weighs least ... most"
        if len(kinds) > 1:
            label += f" ({'signed' if signed else 'unsigned'} rows)"
        scale = ScalarMappable(Normalize(low, 1), colours)
        bar = colour_bar(
            figure, scale, panels, label, location="bottom", fraction=0.02, pad=0.01,
            aspect=40, shrink=0.6,
        )  # fmt: skip
        bar.set_xticks([-1, 0, 1] if signed else [0, 0.5, 1])
