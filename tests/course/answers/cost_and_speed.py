"""Answers to the exercises of notebook 08."""

import math

from ablation.show.front import pareto_front


def batch(inputs, outputs, ridge, width=4):
    gain = inputs * outputs - width * ridge * (inputs + outputs)
    return None if gain <= 0 else max(1, math.ceil(width * ridge * inputs * outputs / gain - 1e-9))


def without_ties(cost, value):
    """Find the front, but let networks that are equal in both exclude each other."""
    indices = range(len(cost))
    return {i for i in indices if not any(j != i and cost[j] <= cost[i] and value[j] >= value[i] for j in indices)}


def strictly_better_in_both(cost, value):
    indices = range(len(cost))
    return {i for i in indices if not any(cost[j] < cost[i] and value[j] > value[i] for j in indices)}


def by_ratio(cost, value):
    best = max(v / c for c, v in zip(cost, value, strict=True))
    return {i for i, (c, v) in enumerate(zip(cost, value, strict=True)) if v / c == best}


RIGHT = {
    "my_front": pareto_front,
    "least_batch": batch,
    "speed_up": lambda share, factor: 1 / (1 - share + share / factor),
    "without_a_rule": {"fvcore": "undercounts", "ablation": "exact"},
}
WRONG = {
    "my_front": [
        without_ties,
        strictly_better_in_both,
        by_ratio,
        lambda cost, value: pareto_front(value, cost),
        lambda cost, value: sorted(pareto_front(cost, value)),
    ],
    "least_batch": [
        lambda inputs, outputs, ridge: batch(inputs, outputs, ridge, width=1),  # numbers instead of bytes
        lambda inputs, outputs, ridge: batch(inputs, outputs, ridge / 2),  # two FLOPs per MAC
        lambda inputs, outputs, ridge: math.ceil(4 * ridge),  # only the weights
        lambda inputs, outputs, ridge: (batch(inputs, outputs, ridge) or 0) + 1,
        lambda inputs, outputs, ridge: batch(inputs, outputs, ridge) or 10**9,
    ],
    "speed_up": [
        lambda share, factor: factor * share,
        lambda share, factor: 1 + share * (factor - 1),
        lambda share, factor: 1 / (share + (1 - share) / factor),
        lambda share, factor: 1 - share + share / factor,
        2.0,
    ],
    "without_a_rule": [
        {"fvcore": "exact", "ablation": "exact"},
        {"fvcore": "an error", "ablation": "exact"},
        {"fvcore": "undercounts", "ablation": "an error"},
        {"fvcore": "overcounts", "ablation": "undercounts"},
        "undercounts",
    ],
}
