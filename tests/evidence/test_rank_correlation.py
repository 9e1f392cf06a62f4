"""Spearman's correlation of a ladder with the paper, against SciPy's and against a bootstrap written out."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from ablation.evidence.rank_correlation import rank_correlation

FIGURES = Path(__file__).parents[2] / "figures"
TABLES = sorted({*FIGURES.glob("roadmap-*.csv")} - {*FIGURES.glob("*-trials.csv")} - {*FIGURES.glob("*-presence.csv")})


def ladder(means, spread=0.5, published_std=0.1):
    """Return the columns of a ladder whose seeds lie `spread` around each mean, and whose paper rises by 1 per row."""
    return pd.DataFrame(
        {
            "adopted": True,
            "recipe": "modern",
            "accuracy": means,
            "accuracies": [f"{mean - spread} {mean} {mean + spread}" for mean in means],
            "published_accuracy": np.arange(len(means)) + 70.0,
            "published_std": published_std,
        }
    )


def test_tables_exist():
    assert TABLES


@pytest.mark.parametrize("file", TABLES, ids=lambda file: file.stem)
def test_equals_scipy_and_a_bootstrap_written_out(file):
    table = pd.read_csv(file)
    found = rank_correlation(table)
    kept = table[table["adopted"]]
    assert found.rows == len(kept) == 14
    assert found.rho == pytest.approx(spearmanr(kept["accuracy"].round(9), kept["published_accuracy"]).statistic)
    deviations = {
        recipe: np.sqrt(np.mean([np.var([float(x) for x in row.split()], ddof=1) for row in rows["accuracies"]]))
        for recipe, rows in kept.groupby("recipe")
    }
    random = np.random.default_rng(1)
    drawn = []
    for _ in range(150):
        ours = [
            random.normal(mean, deviations[recipe] / np.sqrt(len(text.split())))
            for mean, recipe, text in zip(kept["accuracy"], kept["recipe"], kept["accuracies"], strict=True)
        ]
        theirs = [
            random.normal(mean, 0 if np.isnan(std) else std / np.sqrt(3))
            for mean, std in zip(kept["published_accuracy"], kept["published_std"], strict=True)
        ]
        drawn.append(spearmanr(ours, theirs).statistic)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.1)


def test_order_kept_reversed_and_lost():
    assert rank_correlation(ladder([50.0, 60.0, 70.0, 80.0], 0.01)).rho == pytest.approx(1)
    assert rank_correlation(ladder([80.0, 70.0, 60.0, 50.0], 0.01)).high == pytest.approx(-1)
    noisy = rank_correlation(ladder([50.0, 50.1, 50.2, 50.3], 5))
    assert noisy.rho == pytest.approx(1) and noisy.low < 0


def test_side_branches_and_missing_rows_do_not_count():
    table = ladder([50.0, 60.0, 70.0, 0.0, 80.0], 0.01)
    table.loc[3, "adopted"] = False
    table.loc[4, ["accuracy", "accuracies"]] = [np.nan, ""]
    assert (rank_correlation(table).rho, rank_correlation(table).rows) == (pytest.approx(1), 3)


def test_without_enough_rows_or_seeds_there_is_no_interval():
    assert np.isnan(rank_correlation(ladder([50.0, 60.0])).rho)
    assert str(rank_correlation(ladder([50.0, 50.0, 50.0]))) == "+nan (no interval, 3 rows)"
    single = ladder([50.0, 60.0, 70.0]).assign(accuracies=["50", "60", "70"])
    assert rank_correlation(single).rho == pytest.approx(1) and np.isnan(rank_correlation(single).low)
    assert str(rank_correlation(single)) == "+1.00 (no interval, 3 rows)"


def test_is_the_same_each_time():
    noisy = ladder([50.0 + row / 10 for row in range(14)], 1)
    assert rank_correlation(noisy) == rank_correlation(noisy)
