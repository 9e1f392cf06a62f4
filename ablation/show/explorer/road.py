"""The road from ResNet-50 to ConvNeXt-T across the top of the explorer: accuracy rising over sixteen stops."""

from __future__ import annotations

from html import escape

from ...design.published import SWIN
from .chapters import CHAPTERS
from .state import RUNGS, Design
from .svg import colour

_LOW, _HIGH = 78.0, 82.2  # percent at the bottom and at the top of the plot
HEIGHT = 96  # px of the plot
_NOT_KEPT = "<br/>not kept"
_SWIN = SWIN["swin_tiny_patch4_window7_224"].accuracy


def accuracy(index: int) -> float:
    """Return the paper's accuracy of a stop in percent."""
    rung = RUNGS[index]
    assert rung.published is not None
    return rung.published.accuracy


def stop_of(design: Design) -> int | None:
    """Return the index of the stop at which a design stands, or None off the road."""
    return next((i for i, rung in enumerate(RUNGS) if rung.architecture == design.architecture), None)


def next_stop(design: Design) -> int | None:
    """Return the index of the stop after a design on the road that the paper kept; None at its end.

    From a side branch it is the kernel that was kept; off the road, the stop after the nearest one.
    """
    here = stop_of(design)
    index = RUNGS.index(design.nearest) if here is None else here
    if not RUNGS[index].adopted:
        return next(i for i, rung in enumerate(RUNGS) if rung.adopted and rung.previous == RUNGS[index].previous)
    return next((i for i in range(index + 1, len(RUNGS)) if RUNGS[i].adopted), None)


def stop_label(index: int, here: bool) -> str:
    """Return the name of a stop for screen readers."""
    side = "" if RUNGS[index].adopted else ", not kept"
    return f"{CHAPTERS[index].short}{side}, {accuracy(index):.2f} %" + (", you are here" if here else "")


def road_html(design: Design, buttons: bool = True) -> str:
    """Return the road with a stop for each rung of the ResNet-50 ladder, at the height of the paper's accuracy.

    Args:
        design: its stop is marked; off the road, the nearest stop is outlined.
        buttons: whether each stop is a button; otherwise the drawing is hidden from screen readers, for a page that lays
            buttons of its own over the stops.
    """
    here, near = stop_of(design), RUNGS.index(design.nearest)
    stops = "".join(_stop(i, here, near, buttons) for i in range(len(RUNGS)))
    caption = _caption(here, near)
    swin = f'<div class="ax-swin"><span style="bottom:{_rise(_SWIN):.1f}%">Swin-T, {_SWIN:.2f} %</span></div>'
    plot = f'<div class="ax-road-plot">{_curve()}{swin}<ol class="ax-stops">{stops}</ol></div>'
    body = f'{plot}<p class="ax-road-here">{escape(caption)}</p>'
    if buttons:
        return f'<nav class="ax-road" aria-label="The road from ResNet-50 to ConvNeXt-T">{body}</nav>'
    return f'<div class="ax-road" aria-hidden="true">{body}</div>'


def _caption(here: int | None, near: int) -> str:
    if here is not None:
        return f"Stop {here + 1} of {len(RUNGS)}: {CHAPTERS[here].short}, {accuracy(here):.2f} %"
    return f"Off the road; the nearest stop is {near + 1}, {CHAPTERS[near].short}"


def _rise(percent: float) -> float:
    """Return the height of an accuracy in percent of the plot."""
    return 100 * (percent - _LOW) / (_HIGH - _LOW)


def _stop(index: int, here: int | None, near: int, button: bool) -> str:
    classes = ["ax-stop"]
    classes += ["ax-side"] * (not RUNGS[index].adopted) + ["ax-near"] * (here is None and index == near)
    classes += ["ax-here"] * (index == here)
    more = f' data-stop="{index}"' + (' aria-current="step"' if index == here else "")
    tag = "button" if button else "span"
    kind = ' type="button"' if button else ""
    return (
        f'<li><{tag}{kind} class="{" ".join(classes)}"{more} style="--ax-rise:{_rise(accuracy(index)):.1f}%">'
        f'<span class="ax-dot-box"><span class="ax-dot"></span><span class="ax-percent">{accuracy(index):.2f}</span></span>'
        f'<span class="ax-stop-name">{_hyphenated(CHAPTERS[index].short)}{_NOT_KEPT * (not RUNGS[index].adopted)}</span>'
        f"</{tag}></li>"
    )


def _hyphenated(title: str) -> str:
    """Return a title that can break inside its long words."""
    for first, second in (("down", "sampling"), ("bottle", "neck"), ("activa", "tions")):
        title = title.replace(first + second, f"{first}\N{SOFT HYPHEN}{second}")
    return escape(title)


def _curve() -> str:
    """Return the line over the stops that were kept, and a dashed one to each that was not."""

    def at(index: int) -> str:
        y = HEIGHT * (1 - _rise(accuracy(index)) / 100)
        return f"{index + 0.5:g} {y:.1f}"

    kept = [i for i, rung in enumerate(RUNGS) if rung.adopted]
    main = "M" + "L".join(at(i) for i in kept)
    area = f"{main}L{kept[-1] + 0.5:g} {HEIGHT}L{kept[0] + 0.5:g} {HEIGHT}Z"
    names = [rung.name for rung in RUNGS]
    sides = "".join(
        f"M{at(names.index(str(rung.previous)))}L{at(i)}" for i, rung in enumerate(RUNGS) if not rung.adopted
    )
    swin = HEIGHT * (1 - _rise(_SWIN) / 100)

    def drawn(points: str, name: str, width: float, dashes: str = "") -> str:
        return (
            f'<path d="{points}" fill="none" stroke="{colour(name)}" stroke-width="{width:g}" stroke-dasharray="{dashes}" '
            'vector-effect="non-scaling-stroke"/>'
        )

    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(RUNGS)} {HEIGHT}" preserveAspectRatio="none" '
        f'aria-hidden="true" class="ax-curve"><path d="{area}" fill="{colour("pale")}" opacity="0.45"/>'
        f"{drawn(f'M0 {swin:.1f}H{len(RUNGS)}', 'green', 1.5, '7 4')}{drawn(sides, 'grey', 1.5, '3 3')}"
        f"{drawn(main, 'blue', 2.5)}</svg>"
    )
