"""Experimental designs: the networks that a study trains, and their trials. Plain data, no torch.

A ladder measures each step at one position in one order. These designs measure the effect of a step at other positions:
at the end (leave-one-out), at the start (one-at-a-time), over all subsets of the other steps (full factorial), or in
random orders, from which Shapley values are estimated if a factorial is too large.

Each set of steps defines one network. Steps that set the same field, such as two kernel sizes, are applied in the order
in which the design lists them, even if a random order reverses them. Otherwise contributions would not add up.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from .. import data as datasets
from ..design import roadmap as roads
from ..design.architecture import Architecture
from ..design.recipes import Family, family
from ..design.steps import Step, parse
from ..design.trial import Trial
from ..errors import AblationError, unknown
from .design_sizes import random_orders

MAX_FACTORIAL_STEPS = 10
START, END = "start", "end"


@dataclass(frozen=True)
class Point:
    """One network of a design.

    Args:
        name: unique within its design.
        title: name for tables and figures.
        steps: names of the steps taken, in the order in which they are applied.
        architecture: the network, scaled for its recipe family.
        previous: name of the point that it is compared with, or None.
    """

    name: str
    title: str
    steps: tuple[str, ...]
    architecture: Architecture
    previous: str | None = None


@dataclass(frozen=True)
class Design:
    """Points and the steps that are varied; iterates over its points.

    Args:
        name: name on the command line.
        points: the networks to train.
        steps: names of the steps that are varied.
        orders: the random orders whose prefixes are the points; () for every other design.

    Raises:
        AblationError: if two points have the same name.
    """

    name: str
    points: tuple[Point, ...]
    steps: tuple[str, ...]
    orders: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        names = [point.name for point in self.points]
        if len(set(names)) < len(names):
            duplicate = next(name for name in names if names.count(name) > 1)
            raise AblationError(f"design {self.name!r} has two points named {duplicate!r}; names must be unique")

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)


def default_steps(start: str = "resnet50") -> tuple[str, ...]:
    """Return the steps of the paper's road that were kept; steps that were taken together are joined by +.

    >>> default_steps("resnet200")[:3]
    ('stage_ratio=3,3,27,3+widen=84', 'patchify_stem', 'depthwise')
    """
    return tuple(_step_text(rung.step) for rung in roads.roadmap(start) if rung.adopted and _step_text(rung.step))


def leave_one_out(
    steps: Iterable[str] | None = None, start: str = "resnet50", width_divisor: int = 1, stem_stride: int = 4
) -> Design:
    """Return the end of a road and the end without each of its steps: the effect of a step given all others.

    Args:
        steps: names for `steps.parse`, such as "kernel_size=7", in the order in which they are applied; + joins steps
            that are varied together, such as "gelu+fewer_activations". By default, the steps that the paper kept.
        start: "resnet50" or "resnet200".
        width_divisor, stem_stride: as for `roadmap`.

    Returns:
        A design with one point more than there are steps.

    Raises:
        AblationError: if a step does not exist or is given twice, or a set of steps, which it names, is not a valid network.

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
    """Return the start of a road and the start with each single step: the effect of a step without any other.

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
    """Return every subset of the steps: main effects and interactions.

    Args: as for `leave_one_out`.

    Returns:
        2^k points for k steps. Subsets that define the same network share a trial.

    Raises:
        AblationError: as for `leave_one_out`, and for more than 10 steps; the message states the number of trials.

    >>> [point.name for point in factorial(["depthwise", "gelu"])]
    ['start', 'depthwise', 'gelu', 'end']
    """
    road = _Road(steps, start, width_divisor, stem_stride)
    if (k := len(road.steps)) > MAX_FACTORIAL_STEPS:
        raise AblationError(
            f"a full factorial of {k} steps needs {2**k:,} trials per seed; the maximum is {MAX_FACTORIAL_STEPS} steps "
            f"({2**MAX_FACTORIAL_STEPS:,} trials). Choose among {', '.join(road.steps)}, or use the design orderings"
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
    """Return random orders of the steps, each from start to end: the effect of a step at a random position.

    Args:
        steps, start, width_divisor, stem_stride: as for `leave_one_out`.
        count: number of independent orders; a larger count starts with the same orders, so a study can be extended.
        seed: seed of the random orders.

    Returns:
        A design with one point per set of steps that is a prefix of any of its `orders`.

    Raises:
        AblationError: as for `leave_one_out`, and for fewer than one order.

    >>> orderings(["depthwise", "gelu", "layer_norm"], count=2, seed=1).orders
    (('depthwise', 'layer_norm', 'gelu'), ('depthwise', 'gelu', 'layer_norm'))
    """
    road = _Road(steps, start, width_divisor, stem_stride)
    orders = random_orders(road.steps, count, seed)
    points: dict[tuple[str, ...], Point] = {}
    for order in orders:
        previous = None
        for size in range(len(order) + 1):
            taken = tuple(step for step in road.steps if step in order[:size])
            if taken not in points:
                points[taken] = road.point(taken, previous)
            previous = points[taken].name
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
    """Return the design with the given name.

    Args:
        name: "leave-one-out", "one-at-a-time", "factorial" or "orderings".
        steps: steps that are varied; by default, those that the paper kept.
        start, width_divisor, stem_stride: as for `roadmap`.
        count, seed: as for `orderings`; ignored by the other designs.

    Raises:
        AblationError: if no design has that name (the message suggests the nearest), or as for the design itself.
    """
    if name not in DESIGNS:
        raise unknown("design", name, DESIGNS)
    if name == "orderings":
        return orderings(steps, count, seed, start, width_divisor, stem_stride)
    return _DETERMINISTIC[name](steps, start, width_divisor, stem_stride)


_DETERMINISTIC: dict[str, Callable[[Iterable[str] | None, str, int, int], Design]] = {
    "leave-one-out": leave_one_out,
    "one-at-a-time": one_at_a_time,
    "factorial": factorial,
}
DESIGNS = (*_DETERMINISTIC, "orderings")


def trials(points: Iterable[Point], recipe: str | Family, data_name: str, seeds: Iterable[int]) -> dict[Trial, Point]:
    """Return one trial per network and seed, ordered by seed, so that the first seed of all points finishes early.

    Args:
        points: a design, or some points of one.
        recipe: recipe family or its name, the one that the points were scaled for.
        data_name: name of the data set.
        seeds: seeds of each network.

    Returns:
        Trial -> point. Points with the same architecture share a trial, which is listed with the first of them.

    Raises:
        AblationError: if recipe or data set does not exist, or the images are too small for a point, which is named.
    """
    info, modern, points = datasets.info(data_name), family(recipe).modern, tuple(points)
    for point in points:
        try:
            point.architecture.sizes(info.size or modern.size)
        except AblationError as error:
            raise AblationError(f"{point.name}: {error}") from None
    result: dict[Trial, Point] = {}
    for seed, point in itertools.product(seeds, points):
        result.setdefault(Trial(point.architecture, modern, data_name, seed), point)
    return result


class _Road:
    """Checked steps and their start; builds the points of a design."""

    def __init__(self, steps: Iterable[str] | None, start: str, width_divisor: int, stem_stride: int) -> None:
        self.scale = (start, width_divisor, stem_stride)
        self.title = roads.road((), *self.scale)[0].title  # checks the start before the steps
        given = default_steps(start) if steps is None else tuple(steps)
        self.steps = tuple("+".join(parse(part).name for part in step.split("+")) for step in given)
        if not self.steps:
            raise AblationError("a design needs at least one step, such as depthwise")
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
        name = name or self.name(taken)
        title = title or ", ".join(map(_title, taken)) or self.title
        try:
            rungs = roads.road((part for step in taken for part in step.split("+")), *self.scale)
        except AblationError as error:
            steps = " + ".join(taken) or "no steps"
            raise AblationError(f"{self.title} with {steps} is not a valid network: {error}") from None
        return Point(name, title, taken, rungs[-1].architecture, previous=previous)


def _step_text(step: Step) -> str:
    """Return a step of the roadmap as text for `parse`, chains joined by +; "" for no step."""
    return "+".join(step.name.removeprefix("chain(").removesuffix(")").split(", "))


def _title(step: str) -> str:
    return " and ".join(parse(part).title for part in step.split("+"))
