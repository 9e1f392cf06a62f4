"""Checkers of notebook 07, training."""

from __future__ import annotations

import math
from typing import Any

from .checking import AnswerError, exercise, require, require_number


@exercise(
    accepts="mean and half width of the 95 % t-interval, to one part in a million, for any two or more numbers",
    hints=(
        "the half width is a quantile of Student's t-distribution times the standard error",
        "the quantile is t.ppf(0.975, n - 1), and the standard error is the standard deviation, which divides by n - "
        "1, over the square root of n",
    ),
)
def t_interval(answer: Any) -> None:
    """Check a function of a list of numbers that returns the mean and the half width."""
    import random

    from ..evidence.intervals import mean_interval

    require(callable(answer), "t_interval must be a function")
    draw = random.Random(0)
    for n in (2, 3, 5, 12):
        values = [draw.gauss(90, 2) for _ in range(n)]
        given, expected = answer(list(values)), mean_interval(values)
        require(isinstance(given, tuple) and len(given) == 2, "it must return two numbers, mean and half width")
        assert expected.half is not None
        require_number(given[0], expected.mean, 1e-6, f"the mean of {n} numbers")
        require_number(given[1], expected.half, 1e-6, f"the half width for {n} numbers")


@exercise(
    accepts="the library's verdict for every tested combination of difference, interval, p-value and sign",
    hints=(
        "test the p-value first; if it is not below 0.05, the sign no longer matters",
        "for equivalence, the whole 90 % interval, from difference - half_90 to difference + half_90, has to lie "
        "between -1 and +1",
    ),
)
def step_verdict(answer: Any) -> None:
    """Check a function (difference, half_90, p_holm, sign) that returns a verdict."""
    from math import nan

    from ..evidence.contrasts import LEAST_SEEDS, Contrast
    from ..evidence.verdicts import verdict_of

    require(callable(answer), "step_verdict must be a function")
    for difference in (-2.0, -0.4, -0.1, 0.1, 0.4, 0.8, 2.0):
        for half_90 in (0.1, 0.3, 0.7, 5.0):
            for p_holm in (0.001, 0.049, 0.051, 0.8):
                for sign in (-1, 0, 1):
                    step = Contrast(difference, nan, half_90, nan, p_holm, nan, nan, False, LEAST_SEEDS)
                    given = answer(difference, half_90, p_holm, sign)
                    require(
                        given == verdict_of(step, sign),
                        f"{given!r} is not the verdict for {difference:+}, 90 % interval ± {half_90} and p = {p_holm}, if the "
                        f"paper's sign is {sign}",
                    )


@exercise(
    accepts="the exact number of seeds for each tested pair of spread and difference",
    hints=(
        "the half width is t.ppf(0.975, 2 * n - 2) * spread * (2 / n)**0.5",
        "t depends on n too, so the equation cannot be solved for n: try n = 2, 3, 4 and so on",
    ),
)
def seeds_needed(answer: Any) -> None:
    """Check a function (spread, difference) that returns the smallest n with a half width below the difference."""
    from scipy.stats import t

    require(callable(answer), "seeds_needed must be a function")
    for spread, difference in ((1.0, 20.0), (1.0, 2.0), (2.0, 1.0), (3.5, 2.0), (0.1, 0.1)):
        n = 2
        while t.ppf(0.975, 2 * n - 2) * spread * (2 / n) ** 0.5 >= difference:
            n += 1
        require_number(
            answer(spread, difference), n, what=f"the number of seeds for spread {spread} and difference {difference}"
        )


@exercise(
    accepts="the simulated advantage in standard deviations, within 0.15",
    hints=(
        "it is the expected largest of five standard normal numbers",
        "draw five numbers many times with numpy, and average the largest of each five",
    ),
)
def best_of_five(answer: Any) -> None:
    """Check the predicted advantage against a simulated comparison of two equal methods."""
    import numpy as np

    advantage = np.random.default_rng(0).normal(size=(100_000, 5)).max(1).mean()
    require_number(answer, advantage, absolute=0.15, what="the advantage in standard deviations")


@exercise(
    accepts="the losses of 12 steps and the test loss of a reference loop for two seeds, to one part in a million",
    hints=(
        "compare the loop with the description line by line: when is a learning rate set, what is decayed, and in which mode is "
        "the network tested?",
        "the three mistakes are in the optimizer's parameters, in the order of two operations within a step, and before the "
        "test; print the learning rate at each step, and test one image alone and in a batch",
    ),
)
def three_bugs(answer: Any) -> None:
    """Check a corrected training loop: its losses, and if they are wrong, its parts one by one."""
    from .training_loop import digits, network, rates, train, wrong_decay, wrong_evaluation, wrong_schedule

    require(callable(answer), "it must be a function")
    for seed in (0, 5):
        given, expected = answer(network(seed), *digits(), rates(), seed), train(network(seed), digits(), rates(), seed)
        require(isinstance(given, tuple) and len(given) == 2, "it must return two values, the losses and the test loss")
        (losses, test_loss), (right, right_test) = given, expected
        require(isinstance(losses, list) and len(losses) == len(right), "the losses must be a list, with one per step")
        same = [_is_close(one, other) for one, other in zip([*losses, test_loss], [*right, right_test], strict=True)]
        if all(same):
            continue
        require(
            same[0], "the first loss, before any step, differs from the reference: images, targets or mode of training"
        )
        evaluation, schedule = wrong_evaluation(answer), wrong_schedule(answer)
        wrong = [part for part in (evaluation, schedule, wrong_decay(answer, exactly=not schedule)) if part]
        if wrong:
            more = (
                f" ({len(wrong)} parts still differ from the reference; this is one of them)" if len(wrong) > 1 else ""
            )
            raise AnswerError(f"{wrong[0]}{more}")
        raise AnswerError(
            f"evaluation, learning rates and weight decay are right, but something else in a step is not: loss "
            f"{same.index(False) + 1} of {len(right)} is the first to differ from the reference"
        )


def _is_close(given: Any, expected: float) -> bool:
    return hasattr(given, "__float__") and math.isclose(float(given), expected, rel_tol=1e-6)
