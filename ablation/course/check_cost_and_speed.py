"""Checkers of notebook 08, cost and speed."""

from __future__ import annotations

import math
from typing import Any

from .checking import exercise, need, need_number


@exercise(
    accepts="a function with the right set of indices for 40 random lists, ties among them, and for a single network",
    hint="for each network look for another that beats it; two that are equal in both keep each other",
)
def my_front(answer: Any) -> None:
    """The Pareto front, against the library's."""
    import random

    from ..show.front import pareto_front

    need(callable(answer), "it must be a function")
    draw = random.Random(0)
    lists: list[tuple[list[float], list[float]]] = [
        ([5], [1]),
        ([1, 1], [5, 5]),
        ([1, 1, 2], [5, 4, 5]),
        ([3, 2, 1], [1, 2, 3]),
    ]
    sizes = [3, 6, 10, 20] * 9
    lists += [([draw.randint(1, 8) for _ in range(n)], [draw.randint(1, 8) for _ in range(n)]) for n in sizes]
    for cost, value in lists:
        given = answer(list(cost), list(value))
        need(isinstance(given, set), f"it returned a {type(given).__name__}, not a set")
        need(given == pareto_front(cost, value), f"it is wrong for cost {cost} and value {value}")


@exercise(
    accepts="a function with the exact batch, or None, for seven layers and ridges",
    hint="write MACs >= ridge times bytes, and collect what grows with the batch on one side",
)
def least_batch(answer: Any) -> None:
    """The smallest batch whose intensity reaches the ridge, held to the definition itself."""
    need(callable(answer), "it must be a function")

    def intensity(batch: int, inputs: int, outputs: int) -> float:
        return batch * inputs * outputs / (4 * (batch * inputs + inputs * outputs + batch * outputs))

    for inputs, outputs, ridge in (
        (768, 3072, 5), (3072, 768, 20), (100, 100, 2), (64, 64, 8), (64, 64, 9), (1000, 10, 1), (512, 512, 0.1)
    ):  # fmt: skip
        given = answer(inputs, outputs, ridge)
        what = f"least_batch({inputs}, {outputs}, {ridge})"
        possible = inputs * outputs / (4 * (inputs + outputs)) > ridge  # what it tends to as the batch grows
        if not possible:
            need(given is None, f"{what}: no batch reaches it")
            continue
        need(isinstance(given, int) and given >= 1, f"{what} must be a whole number, 1 or more, not {given!r}")
        need(intensity(given, inputs, outputs) >= ridge, f"{what}: that batch does not reach it")
        need(given == 1 or intensity(given - 1, inputs, outputs) < ridge, f"{what}: a smaller batch reaches it too")


@exercise(
    accepts="a function with the right factor to one part in a million, for six cases, one of an infinite factor",
    hint="add up the new time: what was not touched, and what was, divided by the factor",
)
def speed_up(answer: Any) -> None:
    """Amdahl's law."""
    need(callable(answer), "it must be a function")
    for share, factor in ((0.5, 2), (0.1, 10), (0.02, 4), (1.0, 3), (0.0, 5), (0.25, math.inf)):
        new_time = (1 - share) + (share / factor if share else 0.0)
        need_number(answer(share, factor), 1 / new_time, 1e-6, f"speed_up({share}, {factor})")


_OUTCOMES = ("an error", "too low", "exact", "too high")


@exercise(
    accepts="for each of the two counters the outcome that comes when it is run",
    hint="which operators of the layer have a rule of their own, and what does a counter do with one that has none?",
)
def without_a_rule(answer: Any) -> None:
    """What two counters say of attention: both are run on it."""
    need(
        isinstance(answer, dict) and set(answer) == {"fvcore", "ablation"},
        "it must be a dict with 'fvcore' and 'ablation'",
    )
    for said in answer.values():
        need(said in _OUTCOMES, f"{said!r} is none of {', '.join(_OUTCOMES)}")
    found = _what_they_say()
    wrong = [counter for counter, said in answer.items() if said != found[counter]]
    need(not wrong, f"both were run, and {len(wrong)} of the two says something else")


def _what_they_say() -> dict[str, str]:
    import torch
    from torch import Tensor, nn

    from ..measure.counting import count  # before fvcore: it keeps the warning of fvcore's import

    class Attention(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.qkv, self.project = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)

        def forward(self, x: Tensor) -> Tensor:
            q, k, v = self.qkv(x.flatten(2).transpose(1, 2)).chunk(3, dim=-1)  # (N, H * W, C)
            return self.project(nn.functional.scaled_dot_product_attention(q, k, v))

    from fvcore.nn import FlopCountAnalysis

    channels, side = 16, 8
    layer = Attention(channels).eval()
    length = side * side
    done = 4 * length * channels**2 + 2 * length**2 * channels  # four linear layers, two products

    def outcome(total: Any) -> str:
        try:
            value = float(total())
        except Exception:
            return _OUTCOMES[0]
        return "exact" if value == done else "too low" if value < done else "too high"

    analysis = FlopCountAnalysis(layer, torch.zeros(1, channels, side, side))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    return {"fvcore": outcome(analysis.total), "ablation": outcome(lambda: count(layer, side, channels).macs)}
