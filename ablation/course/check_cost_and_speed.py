"""Checkers of notebook 08, cost and speed."""

from __future__ import annotations

import math
from typing import Any

from .checking import exercise, require, require_number


@exercise(
    accepts="a function that returns the right set of indices for 40 lists, including ties and a single network",
    hints=(
        "for each network, look for another that dominates it",
        "it takes three comparisons: no higher cost, no lower value, and one of them strict; networks that are equal "
        "in both keep each other",
    ),
)
def my_front(answer: Any) -> None:
    """Check a function that finds the Pareto front against the library's."""
    import random

    from ..show.front import pareto_front

    require(callable(answer), "it must be a function")
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
        require(isinstance(given, set), f"it returned a {type(given).__name__}, not a set")
        require(given == pareto_front(cost, value), f"it is wrong for cost {cost} and value {value}")


@exercise(
    accepts="a function that returns the exact batch size, or None, for seven pairs of layer and ridge point",
    hints=(
        "write MACs >= ridge * bytes, with the batch as the unknown",
        "collect the terms that grow with the batch on one side; if their sum is not positive, no batch is large "
        "enough",
    ),
)
def least_batch(answer: Any) -> None:
    """Check the smallest batch whose intensity reaches the ridge point, by the definition of intensity."""
    require(callable(answer), "it must be a function")

    def intensity(batch: int, inputs: int, outputs: int) -> float:
        return batch * inputs * outputs / (4 * (batch * inputs + inputs * outputs + batch * outputs))

    for inputs, outputs, ridge in (
        (768, 3072, 5), (3072, 768, 20), (100, 100, 2), (64, 64, 8), (64, 64, 9), (1000, 10, 1), (512, 512, 0.1)
    ):  # fmt: skip
        given = answer(inputs, outputs, ridge)
        what = f"least_batch({inputs}, {outputs}, {ridge})"
        possible = inputs * outputs / (4 * (inputs + outputs)) > ridge  # the limit for large batches
        if not possible:
            require(given is None, f"{what}: no batch reaches the ridge")
            continue
        require(isinstance(given, int) and given >= 1, f"{what} must be an integer of at least 1, not {given!r}")
        least = intensity(given, inputs, outputs) >= ridge and (
            given == 1 or intensity(given - 1, inputs, outputs) < ridge
        )
        require(least, f"{what} is not the smallest batch that reaches the ridge")


@exercise(
    accepts="a function that returns the right factor to one part in a million in six cases, one with an infinite factor",
    hints=(
        "add up the new time, with an old time of 1",
        "the new time is the unchanged part, plus the accelerated part divided by the factor",
    ),
)
def speed_up(answer: Any) -> None:
    """Check a function that computes Amdahl's law."""
    require(callable(answer), "it must be a function")
    for share, factor in ((0.5, 2), (0.1, 10), (0.02, 4), (1.0, 3), (0.0, 5), (0.25, math.inf)):
        new_time = (1 - share) + (share / factor if share else 0.0)
        require_number(answer(share, factor), 1 / new_time, 1e-6, f"speed_up({share}, {factor})")


_OUTCOMES = ("an error", "undercounts", "exact", "overcounts")


@exercise(
    accepts="the actual outcome of each of the two counters",
    hints=(
        "which operators of the layer does each counter have a rule for?",
        "what does each counter do with an operator without a rule: does it stop, or leave it out? fvcore has a rule "
        "for linear layers",
    ),
)
def without_a_rule(answer: Any) -> None:
    """Check the predicted results of two counters for an attention layer; both are run."""
    require(
        isinstance(answer, dict) and set(answer) == {"fvcore", "ablation"},
        "it must be a dict with 'fvcore' and 'ablation'",
    )
    for prediction in answer.values():
        require(prediction in _OUTCOMES, f"{prediction!r} is not one of {', '.join(_OUTCOMES)}")
    found = _counter_outcomes()
    wrong = [counter for counter, prediction in answer.items() if prediction != found[counter]]
    require(not wrong, f"both counters were run; wrong predictions: {len(wrong)} of 2")


def _counter_outcomes() -> dict[str, str]:
    """Run fvcore and `count` on an attention layer and compare their MACs with the exact number."""
    import torch
    from torch import Tensor, nn

    from ..measure.counting import count  # before fvcore: it suppresses the warning of fvcore's import

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
    exact = 4 * length * channels**2 + 2 * length**2 * channels  # four linear layers, two products

    def outcome(total: Any) -> str:
        try:
            value = float(total())
        except Exception:
            return _OUTCOMES[0]
        return "exact" if value == exact else "undercounts" if value < exact else "overcounts"

    analysis = FlopCountAnalysis(layer, torch.zeros(1, channels, side, side))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    return {"fvcore": outcome(analysis.total), "ablation": outcome(lambda: count(layer, side, channels).macs)}
