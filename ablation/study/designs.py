"""Designs: which networks a study asks about, and the trials that answer it. Plain data, no torch.

A ladder is one order of the steps, and in one order a step's worth is that of its place. The other designs ask what a
step is worth elsewhere: at the end (leave-one-out), at the start (one-at-a-time), everywhere (full factorial), or in
random orders, from which Shapley values are estimated where a factorial is too large.

A set of steps is one network: steps that set the same field, such as two kernel sizes, are taken in the order in which
the design lists them, also where a random order has them the other way round. Otherwise contributions would not add up.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .. import data as datasets
from ..design import roadmap as roads
from ..design.architecture import Architecture
from ..design.recipes import family
from ..design.steps import Step, parse
from ..design.trial import Trial
from ..errors import AblationError, unknown

MAX_FACTORIAL_STEPS = 10
START, END = "start", "end"


@dataclass(frozen=True)
class Point:
    """One network that a design asks about.

    Args:
        name: unique within its design.
        title: as one would print it.
        steps: those taken, by name, in the order in which they are taken.
        architecture: the network, scaled as its recipe family asks.
        previous: the name of the point that it is compared with, or None.
    """

    name: str
    title: str
    steps: tuple[str, ...]
    architecture: Architecture
    previous: str | None = None


@dataclass(frozen=True)
class Design:
    """Points, and the steps they were made from; iterates over its points.

    Args:
        name: as on the command line.
        points: what to train.
        steps: what is varied, by name.
        orders: the random orders whose prefixes the points are; () for every other design.

    Raises:
        AblationError: if two points have one name.
    """

    name: str
    points: tuple[Point, ...]
    steps: tuple[str, ...]
    orders: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        names = [point.name for point in self.points]
        if len(set(names)) < len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise AblationError(f"design {self.name!r} has two points named {twice!r}; their names must differ")

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)


def default_steps(start: str = "resnet50") -> tuple[str, ...]:
    """The steps that the paper kept on the road from a ResNet, in its order; a row of two steps is one, joined by +.

    >>> default_steps("resnet200")[:3]
    ('stage_ratio=3,3,27,3+widen=84', 'patchify_stem', 'depthwise')
    """
    return tuple(_text(rung.step) for rung in roads.roadmap(start) if rung.adopted and _text(rung.step))


def leave_one_out(
    steps: Iterable[str] | None = None, start: str = "resnet50", width_divisor: int = 1, stem_stride: int = 4
) -> Design:
    """The end of a road, and the end without each of its steps: what a step is worth once all others are there.

    Args:
        steps: as `steps.parse` reads them, such as "gelu" or "kernel_size=7", in the order in which they are taken; + joins
            those that are one step here, such as "gelu+fewer_activations". By default those that the paper kept.
        start: "resnet50" or "resnet200".
        width_divisor, stem_stride: as for `roadmap`.

    Returns:
        One point more than there are steps.

    Raises:
        AblationError: if a step does not exist or is given twice, or a set of steps is no network; it names the set.

    >>> [point.name for point in leave_one_out(["depthwise", "gelu"])]
    ['end', 'without depthwise', 'without gelu']
    """
    road = _Road(steps, start, width_divisor, stem_stride)
    points = [road.point(road.steps)]
    for step in road.steps:
        rest = tuple(other for other in road.steps if other != step)
        points.append(road.point(rest, END, f"without {step}", f"without {_title(step)}"))
    return Design("leave-one-out", tuple(points), road.steps)


def one_at_a_time(
    steps: Iterable[str] | None = None, start: str = "resnet50", width_divisor: int = 1, stem_stride: int = 4
) -> Design:
    """The start of a road, and each step taken alone: what a step is worth before any other is there.

    Args, errors: as for `leave_one_out`.

    >>> [point.name for point in one_at_a_time(["depthwise", "gelu"])]
    ['start', 'depthwise', 'gelu']
    """
    road = _Road(steps, start, width_divisor, stem_stride)
    points = (road.point((step,), START, step) for step in road.steps)
    return Design("one-at-a-time", (road.point((), name=START), *points), road.steps)


def factorial(
    steps: Iterable[str] | None = None, start: str = "resnet50", width_divisor: int = 1, stem_stride: int = 4
) -> Design:
    """Every subset of the steps: what each is worth on average over all others, and which need each other.

    Args: as for `leave_one_out`.

    Returns:
        2^k points for k steps. Subsets that are the same network share a trial.

    Raises:
        AblationError: as for `leave_one_out`, and for more than 10 steps; it says how many trials that would be.

    >>> [point.name for point in factorial(["depthwise", "gelu"])]
    ['start', 'depthwise', 'gelu', 'end']
    """
    road = _Road(steps, start, width_divisor, stem_stride)
    if (k := len(road.steps)) > MAX_FACTORIAL_STEPS:
        raise AblationError(
            f"a full factorial of {k} steps is {2**k:,} trials for each seed; possible are {MAX_FACTORIAL_STEPS} steps "
            f"({2**MAX_FACTORIAL_STEPS:,} trials). Choose among {', '.join(road.steps)}, or take the design orderings"
        )
    subsets = (taken for size in range(k + 1) for taken in itertools.combinations(road.steps, size))
    points = (road.point(taken, road.name(taken[:-1]) if taken else None) for taken in subsets)
    return Design("factorial", tuple(points), road.steps)


def orderings(
    steps: Iterable[str] | None = None,
    count: int = 20,
    seed: int = 0,
    start: str = "resnet50",
    width_divisor: int = 1,
    stem_stride: int = 4,
) -> Design:
    """Random orders of the steps, each from start to end: what a step is worth at a random place.

    Args:
        steps, start, width_divisor, stem_stride: as for `leave_one_out`.
        count: how many orders, drawn independently of each other. A larger count begins with the same ones, so that a study
            can grow.
        seed: which orders.

    Returns:
        A point for each set of steps that is a prefix of an order, once for all orders; the orders themselves as `orders`.

    Raises:
        AblationError: as for `leave_one_out`, and for fewer than one order.

    >>> orderings(["depthwise", "gelu", "layer_norm"], count=2, seed=1).orders
    (('depthwise', 'layer_norm', 'gelu'), ('depthwise', 'gelu', 'layer_norm'))
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise AblationError(f"count {count!r} must be a whole number, 1 or more: it is how many orders to draw")
    road = _Road(steps, start, width_divisor, stem_stride)
    draw = random.Random(seed)
    orders = tuple(tuple(draw.sample(road.steps, len(road.steps))) for _ in range(count))
    points: dict[tuple[str, ...], Point] = {}
    for order in orders:
        before = None
        for size in range(len(order) + 1):
            taken = tuple(step for step in road.steps if step in order[:size])
            if taken not in points:
                points[taken] = road.point(taken, before)
            before = points[taken].name
    return Design("orderings", tuple(points.values()), road.steps, orders)


def design(
    name: str,
    steps: Iterable[str] | None = None,
    start: str = "resnet50",
    width_divisor: int = 1,
    stem_stride: int = 4,
    count: int = 20,
    seed: int = 0,
) -> Design:
    """The design of that name, as the command line asks for it.

    Args:
        name: "leave-one-out", "one-at-a-time", "factorial" or "orderings".
        steps: what is varied; by default those that the paper kept.
        start, width_divisor, stem_stride: as for `roadmap`.
        count, seed: as for `orderings`; they do nothing to the others.

    Raises:
        AblationError: if there is no design of that name (the nearest is offered), or as the design itself.
    """
    if name not in DESIGNS:
        raise unknown("design", name, DESIGNS)
    if name == "orderings":
        return orderings(steps, count, seed, start, width_divisor, stem_stride)
    return _OVER_SUBSETS[name](steps, start, width_divisor, stem_stride)


_OVER_SUBSETS: dict[str, Callable[[Iterable[str] | None, str, int, int], Design]] = {
    "leave-one-out": leave_one_out,
    "one-at-a-time": one_at_a_time,
    "factorial": factorial,
}
DESIGNS = (*_OVER_SUBSETS, "orderings")


def trials(points: Iterable[Point], recipe: str, data_name: str, seeds: Iterable[int]) -> dict[Trial, Point]:
    """One trial for each network and seed, with its point; seeds outermost, so that a whole design is there early.

    Args:
        points: a design, or some points of one.
        recipe: name of the family to train with, the one that the points were scaled for.
        data_name: what to train on.
        seeds: of each network.

    Returns:
        Points that share the architecture share a trial, which stands with the first of them.

    Raises:
        AblationError: if recipe or data set do not exist, or the images are too small for a point; it names the point.
    """
    info, modern, points = datasets.info(data_name), family(recipe).modern, tuple(points)
    for point in points:
        try:
            point.architecture.sizes(info.size or modern.size)
        except AblationError as error:
            raise AblationError(f"{point.name}: {error}") from None
    found: dict[Trial, Point] = {}
    for seed in seeds:
        for point in points:
            found.setdefault(Trial(point.architecture, modern, data_name, seed), point)
    return found


class _Road:
    """Checked steps and where they start from: what makes the points of a design."""

    def __init__(self, steps: Iterable[str] | None, start: str, width_divisor: int, stem_stride: int) -> None:
        self.scale = (start, width_divisor, stem_stride)
        self.title = roads.road((), *self.scale)[0].title  # the first thing that can be wrong is the start
        given = default_steps(start) if steps is None else tuple(steps)
        self.steps = tuple("+".join(parse(part).name for part in step.split("+")) for step in given)
        if not self.steps:
            raise AblationError("a design needs one step or more, such as depthwise")
        for step in self.steps:
            if self.steps.count(step) > 1:
                raise AblationError(f"step {step!r} is given twice; a design takes each step once")

    def name(self, taken: tuple[str, ...]) -> str:
        if not taken:
            return START
        return END if taken == self.steps else " + ".join(taken)

    def point(
        self, taken: tuple[str, ...], previous: str | None = None, name: str | None = None, title: str | None = None
    ) -> Point:
        name = self.name(taken) if name is None else name
        if title is None:
            title = ", ".join(map(_title, taken)) or self.title
        try:
            rungs = roads.road((part for step in taken for part in step.split("+")), *self.scale)
        except AblationError as error:
            raise AblationError(f"{self.title} with {' + '.join(taken) or 'no step'} is no network: {error}") from None
        return Point(name, title, taken, rungs[-1].architecture, previous=previous)


def _text(step: Step) -> str:
    """A step of the roadmap as `parse` reads it, with + where it is a chain of several; "" for one of none."""
    return "+".join(step.name.removeprefix("chain(").removesuffix(")").split(", "))


def _title(step: str) -> str:
    return " and ".join(parse(part).title for part in step.split("+"))
