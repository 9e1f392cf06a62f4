"""Synthetic accuracies of small designs, whose effects are known."""

import random

import numpy as np
from scipy import stats

from ablation.study import designs

STEPS = ("patchify_stem", "depthwise", "gelu", "layer_norm")
WORTH = {"patchify_stem": 0.5, "depthwise": -1.25, "gelu": 0.0, "layer_norm": 2.0}
FACTORIAL = designs.factorial(STEPS)
ORDERINGS = designs.orderings(STEPS, count=12, seed=1)
LEAVE_ONE_OUT, ONE_AT_A_TIME = designs.leave_one_out(STEPS), designs.one_at_a_time(STEPS)


def measured(design, worth, seeds=3):
    """Accuracies of every point and seed, by a function of the set of steps and the seed."""
    return {point.name: {seed: worth(set(point.steps), seed) for seed in range(seeds)} for point in design}


def additive(taken, seed):
    return 70.0 + 10 * seed + sum(WORTH[step] for step in taken)


def noisy(taken, seed):
    """Any numbers at all, always the same for the same set and seed."""
    return 70.0 + random.Random(f"{sorted(taken)} {seed}").gauss(0, 3)


def column(table, name, key="step"):
    return dict(zip(table[key], table[name], strict=True))


def t_interval(values):
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    return (low + high) / 2, (high - low) / 2
