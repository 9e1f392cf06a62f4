"""Synthetic accuracies of small designs with known effects."""

import random

import numpy as np
from scipy import stats

from ablation.study import designs

STEPS = ("patchify_stem", "depthwise", "gelu", "layer_norm")
EFFECTS = {"patchify_stem": 0.5, "depthwise": -1.25, "gelu": 0.0, "layer_norm": 2.0}
FACTORIAL = designs.factorial(STEPS)
ORDERINGS = designs.orderings(STEPS, count=12, seed=1)
LEAVE_ONE_OUT, ONE_AT_A_TIME = designs.leave_one_out(STEPS), designs.one_at_a_time(STEPS)


def synthetic(design, accuracy, seeds=3):
    """Return accuracies of every point and seed, computed from the set of steps and the seed."""
    return {point.name: {seed: accuracy(set(point.steps), seed) for seed in range(seeds)} for point in design}


def additive(taken, seed):
    """Return an accuracy to which each step contributes a fixed amount; seeds are 10 points apart."""
    return 70.0 + 10 * seed + sum(EFFECTS[step] for step in taken)


def noisy(taken, seed):
    """Return an arbitrary accuracy that depends only on the set of steps and the seed."""
    return 70.0 + random.Random(f"{sorted(taken)} {seed}").gauss(0, 3)


def column(table, name, key="step"):
    """Return a column as a dictionary, by step."""
    return dict(zip(table[key], table[name], strict=True))


def t_interval(values):
    """Return the centre and half-width of SciPy's 95 % t-interval."""
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    return (low + high) / 2, (high - low) / 2
