"""Power: what difference a number of seeds finds, and how many seeds a difference needs.

The test is two-sided, against a standard deviation pooled over all networks, at 5 % divided by the number of steps: the first
threshold of Holm's correction. The power is exact where no other step has an effect, and higher where some have.
"""

from __future__ import annotations

import math

from scipy.optimize import brentq
from scipy.special import stdtrit
from scipy.stats import nct

from ..design.trial import MAX_SEEDS
from ..errors import check_number
from .intervals import CONFIDENCE

POWER = 0.8
_LEAST_SEEDS = 3  # of a row that has a verdict


def power(effect: float, error: float, df: float, alpha: float) -> float:
    """Return the probability that a difference is found, with its sign.

    Args:
        effect: true difference in percentage points.
        error: its standard error in points, more than 0.
        df: degrees of freedom of the error.
        alpha: probability of finding a difference, of either sign, where there is none.

    >>> round(power(1.0, 0.5, 30, 0.05), 2), round(power(0.0, 0.5, 30, 0.05), 3)
    (0.49, 0.025)
    """
    return float(nct.sf(stdtrit(df, 1 - alpha / 2), df, abs(effect) / error))


def smallest_effect(error: float, df: float, alpha: float, wanted: float = POWER) -> float:
    """Return the smallest difference, in points, that is found with the wanted power; NaN without degrees of freedom.

    Args: as for `power`.

    >>> round(smallest_effect(0.5, 30, 0.05), 2)
    1.45
    """
    if not (df > 0 and math.isfinite(error)):
        return math.nan
    threshold = float(stdtrit(df, 1 - alpha / 2))

    def missing(shift: float) -> float:
        return power(shift, 1.0, df, alpha) - wanted

    # The power at the threshold itself is near one half; the upper end is doubled until it is enough.
    upper = 2 * threshold
    while missing(upper) < 0:
        upper *= 2
    return error * float(brentq(missing, 0.0, upper, xtol=1e-6))


def effect_of_seeds(seeds: int, std: float, networks: int, steps: int) -> float:
    """Return the smallest difference, in points, that a study with so many seeds finds with 80 % power.

    Args:
        seeds: seeds of each network.
        std: standard deviation within a network, in points.
        networks: networks over which it is pooled.
        steps: differences that are tested.

    >>> round(effect_of_seeds(3, 0.9, 16, 16), 2), round(effect_of_seeds(10, 0.9, 16, 16), 2)
    (3.0, 1.55)
    """
    return smallest_effect(std * math.sqrt(2 / seeds), networks * (seeds - 1), (1 - CONFIDENCE) / steps)


def seeds_for_effect(effect: float, std: float, networks: int, steps: int) -> int | None:
    """Return the number of seeds, 3 or more, by which a difference is found with 80 % power; None beyond `MAX_SEEDS`.

    Args: `effect` in points, more than 0; the others as for `effect_of_seeds`.

    >>> seeds_for_effect(1.0, 0.9, 16, 16)
    24
    """
    check_number("effect", effect, 0)
    low, high = _LEAST_SEEDS - 1, MAX_SEEDS + 1  # found with `high`, not with `low`
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if effect_of_seeds(middle, std, networks, steps) <= effect else (middle, high)
    return high if high <= MAX_SEEDS else None
