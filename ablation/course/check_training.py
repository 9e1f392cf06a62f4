"""Checkers of notebook 07, training."""

from __future__ import annotations

from typing import Any

from .checking import exercise, need, need_number


@exercise(
    accepts="mean and half width of the 95 % t-interval, to a millionth, for any two or more numbers",
    hint="the half width is t.ppf(0.975, n - 1) times the standard error: the standard deviation, which divides by n - 1, "
    "over the root of n",
)
def t_interval(answer: Any) -> None:
    """A function of a list of numbers that returns mean and half width."""
    import random

    from ..evidence.intervals import mean_interval

    need(callable(answer), "t_interval must be a function")
    draw = random.Random(0)
    for n in (2, 3, 5, 12):
        values = [draw.gauss(90, 2) for _ in range(n)]
        given, wanted = answer(list(values)), mean_interval(values)
        need(isinstance(given, tuple) and len(given) == 2, "it must return two numbers, mean and half width")
        assert wanted.half is not None
        need_number(given[0], wanted.mean, 1e-6, f"the mean of {n} numbers")
        need_number(given[1], wanted.half, 1e-6, f"the half width for {n} numbers")


@exercise(
    accepts="the word that the library gives, for every combination of interval and sign that was tried",
    hint="first ask whether the interval includes zero; what that means depends on whether the paper's sign is 0",
)
def step_verdict(answer: Any) -> None:
    """A function (mean, half, sign) that returns a word."""
    from ..evidence.intervals import Interval
    from ..evidence.verdicts import verdict

    need(callable(answer), "step_verdict must be a function")
    for mean in (-2.0, -0.3, 0.0, 0.3, 2.0):
        for half in (0.1, 1.0, 2.0, 5.0):
            for sign in (-1, 0, 1):
                given = answer(mean, half, sign)
                need(
                    given == verdict(Interval(mean, half), sign),
                    f"{given!r} is not the word for {mean:+} ± {half} where the paper's sign is {sign}",
                )


@exercise(
    accepts="the exact number of seeds for each pair of spread and difference that was tried",
    hint="the half width is t.ppf(0.975, n - 1) * spread / n**0.5, and t depends on n too: try n = 2, 3, 4 and so on",
)
def seeds_needed(answer: Any) -> None:
    """A function (spread, difference) that returns the least n at which the half width is below the difference."""
    from scipy.stats import t

    need(callable(answer), "seeds_needed must be a function")
    for spread, difference in ((1.0, 20.0), (1.0, 2.0), (2.0, 1.0), (3.5, 2.0), (0.1, 0.1)):
        n = 2
        while t.ppf(0.975, n - 1) * spread / n**0.5 >= difference:
            n += 1
        need_number(
            answer(spread, difference), n, what=f"the number of seeds for spread {spread} and difference {difference}"
        )


@exercise(
    accepts="the simulated advantage in standard deviations, within 0.15",
    hint="it is the expected largest of five standard normal numbers; draw five a few times and look at the largest",
)
def best_of_five(answer: Any) -> None:
    """A prediction; the comparison of two equal methods is simulated here."""
    import numpy as np

    ahead = np.random.default_rng(0).normal(size=(100_000, 5)).max(1).mean()
    need_number(answer, ahead, absolute=0.15, what="the advantage in standard deviations")
