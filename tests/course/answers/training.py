"""Answers to the exercises of notebook 07."""

import numpy as np
from scipy.stats import norm, t


def interval(quantile=lambda n: t.ppf(0.975, n - 1), ddof=1, power=0.5):
    def mean_and_half_width(values):
        n = len(values)
        return float(np.mean(values)), float(quantile(n) * np.std(values, ddof=ddof) / n**power)

    return mean_and_half_width


def step_verdict(mean, half, sign):
    if abs(mean) <= half:
        return "agrees" if sign == 0 else "within noise"
    if sign == 0:
        return "differs"
    return "agrees" if (mean > 0) == (sign > 0) else "reverses"


def from_the_mean_alone(mean, half, sign):
    return "agrees" if (mean > 0) - (mean < 0) == sign else "reverses"


def never_differs(mean, half, sign):
    return "within noise" if abs(mean) <= half else "agrees" if mean * sign >= 0 else "reverses"


def ignores_sign_in_noise(mean, half, sign):
    return "within noise" if abs(mean) <= half else step_verdict(mean, half, sign)


def strict_inequality(mean, half, sign):  # an interval that just touches zero includes it
    return step_verdict(mean, half - 1e-9, sign)


def seeds_needed(spread, difference, quantile=lambda n: t.ppf(0.975, n - 1), power=0.5):
    n = 2
    while quantile(n) * spread / n**power >= difference:
        n += 1
    return n


RIGHT = {
    "t_interval": interval(),
    "step_verdict": step_verdict,
    "seeds_needed": seeds_needed,
    "best_of_five": 1.16,
}
WRONG = {
    "t_interval": [
        interval(quantile=lambda n: norm.ppf(0.975)),
        interval(quantile=lambda n: t.ppf(0.95, n - 1)),
        interval(quantile=lambda n: t.ppf(0.975, n)),
        interval(ddof=0),
        interval(power=0),
        lambda values: float(np.mean(values)),
    ],
    "step_verdict": [
        from_the_mean_alone,
        never_differs,
        ignores_sign_in_noise,
        strict_inequality,
        lambda mean, half, sign: "agrees",
    ],
    "seeds_needed": [
        lambda spread, difference: seeds_needed(spread, difference, lambda n: norm.ppf(0.975)),
        lambda spread, difference: seeds_needed(spread, difference) - 1,
        lambda spread, difference: seeds_needed(spread, difference, lambda n: t.ppf(0.95, n - 1)),
        lambda spread, difference: max(2, round((1.96 * spread / difference) ** 2)),
        3,
    ],
    "best_of_five": [0, 0.5, 5**0.5, 1.54, "1.16"],
}
