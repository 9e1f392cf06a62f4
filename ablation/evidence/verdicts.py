"""The verdict on a step: the sign of the measured difference compared with the sign in the paper.

Equivalence is shown by two one-sided tests: Schuirmann 1987, doi 10.1007/BF01068419.
"""

from __future__ import annotations

from math import sqrt

from ..design.published import Published
from .contrasts import ALPHA, LEAST_SEEDS, Contrast

MARGIN = 1.0  # points within which a difference counts as none
_PAPER_SEEDS = 3


def published_sign(after: Published, before: Published) -> int:
    """Return the paper's sign of a step: 1, -1, or 0 where the difference is less than twice its standard error.

    Where the paper gives no standard deviation, this is the sign of the difference.
    """
    difference = after.accuracy - before.accuracy
    stds = (after.std, before.std)
    if None not in stds and abs(difference) < 2 * sqrt(sum(std**2 / _PAPER_SEEDS for std in stds if std)):
        return 0
    return (difference > 0) - (difference < 0)


def verdict_of(contrast: Contrast, sign: int) -> str:
    """Compare a step's contrast with the paper's sign.

    Args:
        contrast: from `contrasts.contrasts`.
        sign: the paper's sign: 1, -1 or 0, from `published_sign`.

    Returns:
        "agrees" or "reverses" if Holm's p-value is below 0.05 and the difference has the paper's sign or the other one;
        "differs" if it is and the paper's sign is 0; "equivalent" if the 90 % interval lies within 1 point of zero; "undecided"
        otherwise, as for any wide interval; "" where a row has seeds that diverged, or fewer than three.

    >>> from ablation.evidence.contrasts import contrasts
    >>> measured = {"a": {0: 70.0, 1: 71.0, 2: 72.0}, "b": {0: 75.0, 1: 76.0, 2: 77.0}}
    >>> (step,) = contrasts(measured, {"a": "micro", "b": "micro"}, [("b", "a")])
    >>> verdict_of(step, sign=1), verdict_of(step, sign=-1), verdict_of(step, sign=0)
    ('agrees', 'reverses', 'differs')
    """
    if contrast.diverged or contrast.n < LEAST_SEEDS or contrast.p_holm != contrast.p_holm:
        return ""
    if contrast.p_holm < ALPHA:
        if sign == 0:
            return "differs"
        return "agrees" if (contrast.difference > 0) == (sign > 0) else "reverses"
    return "equivalent" if abs(contrast.difference) + contrast.equivalence_half < MARGIN else "undecided"
