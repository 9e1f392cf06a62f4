"""Whether a ladder orders the paper's networks as ImageNet does: Spearman's rank correlation, with the noise of both sides."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from .contrasts import spread
from .intervals import CONFIDENCE

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PUBLISHED_SEEDS = 3  # seeds behind each of the paper's means and standard deviations
DRAWS = 10_000
_DECIMALS = 9  # of a percentage: equal means that differ by rounding in the 14th are ties


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's correlation between our means and the paper's. `str` formats it with its interval.

    Args:
        rho: the correlation, from -1 to 1; NaN if fewer than three rows can be compared, or all are equal.
        low, high: its 95 % bootstrap interval; NaN if no row has two seeds.
        rows: number of rows that are compared.
    """

    rho: float
    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        interval = "no interval" if isnan(self.low) else f"95 % interval {self.low:+.2f} to {self.high:+.2f}"
        return f"{self.rho:+.2f} ({interval}, {self.rows} rows)"


def rank_correlation(table: pd.DataFrame, draws: int = DRAWS) -> RankCorrelation:
    """Return the rank correlation of a ladder's accuracies with the paper's, over the rows that the paper kept.

    The interval is a parametric bootstrap: three seeds are too few to draw from, so each draw adds normal noise to the mean of
    every row, ours from the standard deviation that the rows of a recipe share, the paper's from the one it prints (none where
    it prints none). The rows themselves are not drawn: they are all the rows there are. Noise can only blur an order, so the
    interval may lie closer to zero than the correlation of the means.

    Args:
        table: table of a ladder, from `ladder_table` or its CSV file.
        draws: number of draws; the generator is seeded, so equal tables have equal intervals.

    Returns:
        The correlation over the kept rows with an accuracy here and in the paper.
    """
    kept = table[table["adopted"] & table["accuracy"].notna() & table["published_accuracy"].notna()]
    seeds = [[float(value) for value in str(text).split()] for text in kept["accuracies"]]
    most = max(map(len, seeds), default=0)
    values = np.array([row + [np.nan] * (most - len(row)) for row in seeds], dtype=np.float64).reshape(len(kept), most)
    if len(kept) < 3:
        return RankCorrelation(np.nan, np.nan, np.nan, len(kept))
    ours = kept["accuracy"].round(_DECIMALS).to_numpy(np.float64)  # the seeds are printed with fewer digits
    theirs = kept["published_accuracy"].to_numpy(np.float64)
    own_error = np.sqrt(spread(values, list(kept["recipe"])).variance / np.array([len(row) for row in seeds]))
    paper_error = kept["published_std"].fillna(0.0).to_numpy(np.float64) / np.sqrt(PUBLISHED_SEEDS)
    rho = float(_spearman(ours, theirs))
    if isnan(rho) or np.isnan(own_error).any():  # with a single seed of each row, nothing says how much it could differ
        return RankCorrelation(rho, np.nan, np.nan, len(kept))
    random = np.random.default_rng(0)
    drawn = _spearman(
        ours + own_error * random.standard_normal((draws, len(kept))),
        theirs + paper_error * random.standard_normal((draws, len(kept))),
    )
    low, high = np.quantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return RankCorrelation(rho, float(low), float(high), len(kept))


def _spearman(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank correlation over the last axis."""
    first, second = (rankdata(values, axis=-1) for values in (ours, theirs))
    first, second = (ranks - ranks.mean(-1, keepdims=True) for ranks in (first, second))
    with np.errstate(invalid="ignore"):  # equal means have no order, and no correlation
        correlation: NDArray[np.float64] = (first * second).sum(-1) / np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
    return correlation
