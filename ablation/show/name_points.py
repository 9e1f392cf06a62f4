"""Names beside the points of a scatter plot, placed so that none covers another, a point, or the line to another name."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from .style import QUIET, SMALL, text_inches

_POINTS = 72  # in an inch
_LINE_HEIGHT = 1.15 * SMALL
_GAP = 4.0  # points between a marker and a name beside it
_MARKER = 2.5  # radius of a marker in points
_STEPS = range(-14, 15)  # heights of candidate places, in half lines
_AWAY = (0.0, 10.0, 22.0, 36.0, 52.0, 70.0)  # points from the nearest place beside the marker
_ROUNDS = 4
_LEADER = 7.0  # points from its marker beyond which a name has a line to it


@dataclass(frozen=True)
class _Place:
    """A candidate place of a name in points: its box, and the offset of its anchor from the marker."""

    x0: float
    y0: float
    x1: float
    y1: float
    dx: float
    dy: float


def name_points(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    names: Sequence[str],
    line: Sequence[tuple[float, float]] = (),
) -> None:
    """Write the name of each point near it, with a line where it is not beside it; the axes must have their limits.

    Args:
        axes: axes with the points, on a figure.
        x, y: coordinates of the points, in data units.
        names: one per point.
        line: corners of a line that names should leave free, in data units.
    """
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()  # the layout decides how large the axes are
    scale = _POINTS / figure.dpi
    points = [_to_points(axes, at, scale) for at in zip(x, y, strict=True)]
    corners = [_to_points(axes, at, scale) for at in line]
    free = [
        (a + (c - a) * t / 20, b + (d - b) * t / 20)
        for (a, b), (c, d) in itertools.pairwise(corners)
        for t in range(20)
    ]
    box = axes.get_window_extent()
    frame = (box.x0 * scale + 2, box.y0 * scale + 2, box.x1 * scale + 2, box.y1 * scale)
    choices = [_candidates(point, name, frame) for point, name in zip(points, names, strict=True)]
    chosen: list[_Place | None] = [None] * len(points)
    for _ in range(_ROUNDS):
        before = list(chosen)
        for i in sorted(range(len(points)), key=lambda i: _crowd(points, i)):
            others = [(points[j], place) for j, place in enumerate(chosen) if place is not None and j != i]
            chosen[i] = _best(choices[i], points[i], points, others, free)
        if chosen == before:
            break
    for point, place, name, at in zip(points, chosen, names, zip(x, y, strict=True), strict=True):
        assert place is not None
        right = place.dx >= 0
        offset = (place.dx, place.dy)
        written = [
            axes.annotate(
                name, at, offset, textcoords="offset points", fontsize=SMALL, va="center",
                ha="left" if right else "right", path_effects=[withStroke(linewidth=2, foreground="white")],
            )
        ]  # fmt: skip
        if _leader(point, place):
            line_to = {"arrowstyle": "-", "linewidth": 0.5, "color": QUIET, "shrinkA": 2.5, "shrinkB": 3}
            written.append(axes.annotate("", at, offset, textcoords="offset points", arrowprops=line_to))
        for part in written:
            part.set_in_layout(False)


def _to_points(axes: Axes, at: tuple[float, float], scale: float) -> tuple[float, float]:
    """Return where a pair of data coordinates is on the figure, in points."""
    x, y = axes.transData.transform((float(at[0]), float(at[1])))
    return float(x) * scale, float(y) * scale


def _candidates(point: tuple[float, float], name: str, frame: tuple[float, float, float, float]) -> list[_Place]:
    """Return the places of a name inside the axes, left and right of its marker; the nearest one if none fits."""
    width = text_inches(name, SMALL) * _POINTS
    places = []
    for away in _AWAY:
        for step in _STEPS:
            dy = 0.5 * step * _LINE_HEIGHT
            for side in (1, -1):
                dx = side * (_GAP + away)
                x0 = point[0] + dx - (width if side < 0 else 0)
                y0 = point[1] + dy - _LINE_HEIGHT / 2
                places.append(_Place(x0, y0, x0 + width, y0 + _LINE_HEIGHT, dx, dy))
    left, low, right, high = frame
    inside = [p for p in places if p.x0 >= left and p.x1 <= right and p.y0 >= low and p.y1 <= high]
    return sorted(inside or places[:2], key=lambda place: _far(place, point))


def _best(
    places: Sequence[_Place],
    own: tuple[float, float],
    points: Sequence[tuple[float, float]],
    others: Sequence[tuple[tuple[float, float], _Place]],
    free: Sequence[tuple[float, float]],
) -> _Place:
    """Return the place with the least cost; places come in the order of their distances, which are part of the cost."""
    best, least = places[0], float("inf")
    for place in places:
        if _far(place, own) >= least:
            break
        cost = _cost(place, own, points, others) + 4 * sum(_covers(place, point, 0) for point in free)
        if cost < least:
            best, least = place, cost
    return best


def _far(place: _Place, point: tuple[float, float]) -> float:
    return _distance_to_box(point, place) + 0.1 * abs(place.dy)


def _crowd(points: Sequence[tuple[float, float]], i: int) -> float:
    """Return the distance to the nearest other point: those with the least room choose first."""
    return min((abs(a - points[i][0]) + abs(b - points[i][1]) for j, (a, b) in enumerate(points) if j != i), default=0)


def _cost(
    place: _Place,
    own: tuple[float, float],
    points: Sequence[tuple[float, float]],
    others: Sequence[tuple[tuple[float, float], _Place]],
) -> float:
    """Return how bad a place is: what it covers counts most, then how far it is from its marker."""
    covered: float = sum(_covers(place, point, _MARKER + 1) for point in points if point != own)
    covered += 3 * sum(_overlap(place, other) for _, other in others)
    line = _leader(own, place)
    covered += sum(_covers(other, point, 0) for _, other in others for point in line) / 3
    covered += sum(_covers(place, point, 0) for at, other in others for point in _leader(at, other)) / 3
    covered += sum(abs(a - c) + abs(b - d) < 2 * _MARKER for a, b in line for c, d in points if (c, d) != own) / 3
    reach = _distance_to_box(own, place)
    nearer = sum(_distance_to_box(point, place) < reach + 1 for point in points if point != own)
    crossed = sum(_cross(own, place, at, other) for at, other in others)
    return 100 * covered + 40 * crossed + 8 * nearer + _far(place, own)


def _leader(point: tuple[float, float], place: _Place) -> list[tuple[float, float]]:
    """Return points along the line from a marker to its name; none if the name is beside it."""
    if _distance_to_box(point, place) <= _LEADER:
        return []
    return [(point[0] + place.dx * t / 12, point[1] + place.dy * t / 12) for t in range(2, 12)]


def _cross(a: tuple[float, float], to_a: _Place, b: tuple[float, float], to_b: _Place) -> bool:
    """Return whether the lines to two names cross."""

    def side(p: tuple[float, float], q: tuple[float, float], r: tuple[float, float]) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    a_end, b_end = (a[0] + to_a.dx, a[1] + to_a.dy), (b[0] + to_b.dx, b[1] + to_b.dy)
    return side(a, a_end, b) * side(a, a_end, b_end) < 0 and side(b, b_end, a) * side(b, b_end, a_end) < 0


def _covers(place: _Place, point: tuple[float, float], margin: float) -> bool:
    x, y = point
    return place.x0 - margin < x < place.x1 + margin and place.y0 - margin < y < place.y1 + margin


def _overlap(a: _Place, b: _Place) -> bool:
    return min(a.x1, b.x1) - max(a.x0, b.x0) > -2 and min(a.y1, b.y1) - max(a.y0, b.y0) > 0


def _distance_to_box(point: tuple[float, float], place: _Place) -> float:
    across = max(place.x0 - point[0], 0, point[0] - place.x1)
    down = max(place.y0 - point[1], 0, point[1] - place.y1)
    return float((across**2 + down**2) ** 0.5)
