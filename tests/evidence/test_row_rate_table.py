"""The rate of each row is the best on held-out images; it is said where it is at an edge, and which others are as good."""

import json
import math

import numpy as np
import pytest

from ablation.design.recipes import family
from ablation.errors import AblationError
from ablation.evidence.ladder_table import ladder_table
from ablation.evidence.measured_spread import measured_spread
from ablation.evidence.row_rate_table import row_choices, row_rate_table
from ablation.study.ladder import ladder_rungs, ladder_trials
from ablation.study.row_rates import row_rate_trials
from tests.study.samples import TEST_IMAGES, outcome

RATES = {"original": [0.01], "modern": [0.001, 0.002, 0.004]}
TRIALS = row_rate_trials("micro", "digits#200+100", RATES, seeds=range(2))
ERROR = math.sqrt(60 * 40 / TEST_IMAGES)  # points, of an accuracy of 60 %
# Mean accuracy at each rate, or None where a seed diverges; the expected rate, edge, and rates within one standard error.
CASES = {
    "stage_ratio": ([50.0, 60.0, 55.0], 0.002, "", {0.002}),
    "patchify_stem": ([60.0, 60.0 - 0.9 * ERROR, 50.0], 0.001, "lowest", {0.001, 0.002}),
    "depthwise": ([50.0, 60.0 - 1.1 * ERROR, 60.0], 0.004, "highest", {0.004}),
    "widen": ([50.0, 60.0, 60.0], 0.002, "", {0.002, 0.004}),
    "gelu": ([50.0, 60.0, None], 0.002, "", {0.002}),
    "layer_norm": ([None, None, None], None, "", set()),
}


def results():
    found = {}
    for trial, (rung,) in TRIALS.items():
        means = CASES.get(rung.name, ([60.0] * 3, ...))[0]
        mean = means[RATES[rung.recipe].index(trial.recipe.lr)]
        lost = mean is None and trial.seed == 1
        found[trial] = outcome(None, "diverged") if lost else outcome((mean or 90.0) + trial.seed - 0.5)
    return found


TABLE = row_rate_table("micro", TRIALS, results())


@pytest.mark.parametrize("name", CASES)
def test_the_rate_of_a_row(name):
    means, best, edge, near = CASES[name]
    rows = TABLE[TABLE["rung"] == name]
    assert list(rows["lr"]) == sorted(RATES["modern"] * 2) and list(rows["seed"]) == [0, 1] * 3
    assert list(rows["mean_accuracy"]) == pytest.approx(
        [np.nan if m is None else m for m in np.repeat(means, 2)], nan_ok=True
    )
    assert set(rows.loc[rows["best"], "lr"]) == ({best} - {None}) and set(rows["at_edge"]) == {edge}
    assert set(rows.loc[rows["near_best"], "lr"]) == near
    known = [mean for mean in means if mean is not None]
    assert set(rows["n"]) <= {1, 2} and (rows["n"] == 2).sum() == 2 * len(known)
    spread = max(known) - min(known) if known else np.nan
    assert rows["spread_points"].iloc[0] == pytest.approx(spread, nan_ok=True)


def test_a_single_rate_is_at_both_edges():
    rows = TABLE[TABLE["rung"] == "original_recipe"]
    assert rows["best"].all() and set(rows["at_edge"]) == {"only"}


def test_rows_are_in_the_order_of_the_ladder_and_name_it():
    assert list(dict.fromkeys(TABLE["rung"])) == [rung.name for rung in ladder_rungs("micro")]
    pair = family("micro")
    assert set(zip(TABLE["recipe"], TABLE["recipe_lr"], strict=True)) == {
        (recipe.name, recipe.lr) for recipe in (pair.original, pair.modern)
    }
    assert (
        (TABLE["width_divisor"] == 8).all()
        and (TABLE["stem_stride"] == 1).all()
        and (TABLE["start"] == "resnet50").all()
    )
    assert (TABLE["train_losses"] == "0.5000").sum() == (~TABLE["held_out_accuracy"].isna()).sum()
    with pytest.raises(AblationError, match="none of the 98 trials has an outcome"):
        row_rate_table("micro", TRIALS, {})


def test_the_choices_in_brief():
    chosen = row_choices(TABLE[TABLE["member"] == "modern"]).set_index("row")
    assert list(chosen.columns) == ["0.001", "0.002", "0.004", "own rate", "at edge", "within 1 SE", "spread"]
    assert list(chosen.loc["patchify stem"])[-4:] == ["0.001", "lowest", "0.001, 0.002", "10.0"]
    assert list(chosen.loc["ReLU to GELU"]) == ["50.0", "60.0", "diverged", "0.002", "", "", "10.0"]
    assert list(chosen.loc["BN to LN"]) == ["diverged"] * 3 + [""] * 4


def ladder(rates):
    """Return trials and outcomes of three seeds, whose accuracies differ by -1, 0 and 1 points in every row."""
    trials = ladder_trials("micro", "digits", range(3), rates=rates)
    return trials, {trial: outcome(60.0 + i % 17 + trial.seed) for i, trial in enumerate(trials)}


OWN = {rung.name: 0.001 * 2 ** (i % 5) for i, rung in enumerate(ladder_rungs("micro"))}


def test_rows_at_own_rates_share_the_deviation_of_their_recipe():
    (_, one), (_, own) = ladder(None), ladder(OWN)
    before, after = ladder_table("micro", "digits", one), ladder_table("micro", "digits", own, rates=OWN)
    assert list(after["test"]) == ["", "Welch", *["pooled"] * 15]
    columns = [
        "accuracy",
        "difference",
        "difference_half",
        "equivalence_half",
        "p_holm",
        "smallest_effect",
        "test",
        "verdict",
    ]
    assert after[columns].equals(before[columns])
    half = 2.0369333 * math.sqrt(2 / 3)  # Student's t with 16 * 2 degrees of freedom, and a deviation of 1 point
    assert list(after["difference_half"])[2:] == pytest.approx([half] * 15)
    assert list(after["lr"]) == list(OWN.values()) and set(after["rates"]) == {"own rates"}
    assert set(zip(before["lr"], before["rates"], strict=True)) == {(0.01, "one rate"), (0.004, "one rate")}


def test_a_ladder_takes_no_outcome_of_another_rate():
    _, one = ladder(None)
    table = ladder_table("micro", "digits", one, rates=OWN)
    usual = {name for name, rate in OWN.items() if rate == 0.004 and name != "original_recipe"}
    assert set(table.loc[table["n"] == 3, "rung"]) == usual and usual


def test_the_spread_of_a_store_is_pooled_over_the_rates_of_a_recipe():
    def rows(*ladders):
        outcomes = {trial: found for _, found in ladders for trial, found in found.items()}
        return [
            {"trial": json.dumps(trial.to_dict()), "status": found.status, "accuracy": found.accuracy}
            for trial, found in outcomes.items()
        ]

    own, both = measured_spread(rows(ladder(OWN))), measured_spread(rows(ladder(None), ladder(OWN)))
    assert list(own["recipe"]) == ["micro-original", "micro-modern"] and list(own["networks"]) == [1, 16]
    assert list(own["df"]) == [2, 32] and list(own["std_points"]) == pytest.approx([1.0, 1.0])
    assert list(both["networks"]) == [1, 16] and both["df"].iloc[1] > 32
