"""Plot of accuracy against multiply-accumulates: the rungs as measured in the paper, and the cost of a design."""

from __future__ import annotations

from collections.abc import Iterator

from ..front import pareto_front
from .state import PUBLISHED_SIZE, RUNGS, Design
from .svg import colour, line, path, svg, text

_WIDTH, _HEIGHT = 430.0, 330.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 12.0, 30.0, 46.0
_LOWEST, _HIGHEST = 78.0, 82.4  # percent
_MIN_G, _DEFAULT_MAX_G, _MAX_G = 2.0, 5.5, 20.0  # limits of the x axis in G MACs


def points() -> tuple[tuple[float, float, str], ...]:
    """Return computed G MACs, the paper's top-1 accuracy in percent, and the title of each rung of the ResNet-50 ladder."""
    found = []
    for rung in RUNGS:
        assert rung.published is not None
        found.append((Design(rung.architecture).cost.macs / 1e9, rung.published.accuracy, rung.title))
    return tuple(found)


POINTS = points()
FRONT = pareto_front([x for x, _, _ in POINTS], [y for _, y, _ in POINTS])


def pareto_svg(design: Design) -> str:
    """Return a plot of the rungs, the Pareto front, and a line at the MACs of the design."""
    macs = design.cost.macs / 1e9
    g_max = _DEFAULT_MAX_G if macs <= _DEFAULT_MAX_G else min(_MAX_G, 1.1 * macs)
    g_min = min(_MIN_G, max(0.0, macs - 0.2))

    def x_of(g: float) -> float:
        return _LEFT + (g - g_min) / (g_max - g_min) * (_WIDTH - _LEFT - _RIGHT)

    def y_of(percent: float) -> float:
        return _TOP + (_HIGHEST - percent) / (_HIGHEST - _LOWEST) * (_HEIGHT - _TOP - _BOTTOM)

    floor = _HEIGHT - _BOTTOM
    shapes = [line(_LEFT, floor, _WIDTH - _RIGHT, floor), line(_LEFT, _TOP, _LEFT, floor)]
    for g in _ticks(g_min, g_max):
        shapes += [line(x_of(g), floor, x_of(g), floor + 4), text(x_of(g), floor + 17, f"{g:g}")]
    for percent in range(int(_LOWEST), int(_HIGHEST) + 1):
        y = y_of(percent)
        shapes += [line(_LEFT, y, _WIDTH - _RIGHT, y, colour("grid")), text(_LEFT - 6, y + 4, f"{percent}", "end")]
    shapes.append(text((_LEFT + _WIDTH) / 2, _HEIGHT - 8, "multiply-accumulates (G)"))
    shapes.append(
        text(14, (_TOP + floor) / 2, "paper's top-1 (%)", more=f'transform="rotate(-90 14 {(_TOP + floor) / 2:.0f})"')
    )
    front = sorted((x_of(x), y_of(y)) for i, (x, y, _) in enumerate(POINTS) if i in FRONT)
    steps = f"M{front[0][0]:.1f} {front[0][1]:.1f}" + "".join(f" H{x:.1f} V{y:.1f}" for x, y in front[1:])
    shapes.append(path(steps, colour("orange"), 'stroke-width="2"'))
    here = design.rung
    for i, (x, y, title) in enumerate(POINTS):
        fill = colour("blue" if i in FRONT else "paper")
        shapes.append(
            f'<circle cx="{x_of(x):.1f}" cy="{y_of(y):.1f}" r="4.5" fill="{fill}" '
            f'stroke="{colour("blue")}" stroke-width="1.5">'
            f"<title>{title}: {x:.2f} G, {y:.2f} %</title></circle>"
        )
    shapes += _design_line(design, x_of(min(macs, g_max)), floor, macs > g_max)
    if here in RUNGS:
        assert here is not None and here.published is not None
        x, y = x_of(Design(here.architecture).cost.macs / 1e9), y_of(here.published.accuracy)
        shapes.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="none" stroke="{colour("red")}" stroke-width="3"/>'
        )
    named = [(x, y, title) for i, (x, y, title) in enumerate(POINTS) if i in FRONT]
    if g_max <= _DEFAULT_MAX_G:
        shapes += [_rung_name(x_of(x), y_of(y), title) for x, y, title in named]
    at = f", at {here.published.accuracy:.2f} %" if here is not None and here.published is not None else ""
    label = (
        "Top-1 accuracy that the paper reports for each rung against its multiply-accumulates, with the Pareto front. "
        f"This design has {macs:.2f} G{at}."
    )
    return svg("".join(shapes), _WIDTH, _HEIGHT, label)


_HALO = f'paint-order="stroke" stroke="{colour("paper")}" stroke-width="3"'


def _rung_name(x: float, y: float, title: str) -> str:
    left = x - _LEFT > 7 * len(title)
    return text(x - 9 if left else x + 9, y - 6, title, "end" if left else "start", 12, _HALO)


def _design_line(design: Design, x: float, floor: float, beyond: bool) -> list[str]:
    label = f"this design, {design.cost.macs / 1e9:.2f} G" + (" →" if beyond else "")
    anchor = "end" if x > 0.6 * _WIDTH else "start"
    return [
        line(x, _TOP - 6, x, floor, colour("red"), 'stroke-width="2" stroke-dasharray="6 4"'),
        text(x + (-6 if anchor == "end" else 6), _TOP - 12, label, anchor, 12, 'font-weight="bold"'),
    ]


def _ticks(low: float, high: float) -> Iterator[int]:
    step = next(step for step in (1, 2, 5, 10) if (high - low) / step <= 7)
    return (g for g in range(0, int(high) + 1, step) if low <= g <= high)


def pareto_note(design: Design) -> str:
    """Return a note if the image size differs from the paper's, otherwise ""."""
    if design.size != PUBLISHED_SIZE:
        return f"The rungs are shown at {PUBLISHED_SIZE} px, as the paper measured them, and this design at {design.size} px."
    return ""
