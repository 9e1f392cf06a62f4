"""The table of a grid, from invented accuracies, against values computed with SciPy."""

import math

import numpy as np
import pytest
from scipy import stats

from ablation.evidence.grid_table import grid_table
from ablation.study.grid import grid_cells, grid_steps, grid_trials
from tests.study.samples import TEST_IMAGES, outcome

STEPS = grid_steps(["kernel_size_7", "layer_norm", "fewer_norms"])
CELLS = grid_cells("micro", "digits", (100, 1000), (), (2, 4))
# Images and epochs -> row -> accuracies of three seeds; all are multiples of 0.1, as of 3,000 test images.
MEASURED = {
    (100, 2): {
        "move_up_depthwise": (70.0, 71.0, 72.0),
        "kernel_size_7": (75.0, 76.5, 77.0),
        "fewer_activations": (70.0, 70.4, 70.1),
        "fewer_norms": (70.2, 70.5, 70.0),
        "layer_norm": (60.0, 60.5, 61.0),
    },
    (100, 4): {
        "move_up_depthwise": (70.0, 75.0, 80.0),
        "kernel_size_7": (72.0, 80.0, 79.0),
        "fewer_activations": (70.0, 76.0, 71.0),
        "fewer_norms": (60.0, 69.0, 66.0),
        "layer_norm": (68.0, 60.0, 62.0),
    },
    (1000, 2): {
        "move_up_depthwise": (90.0, 90.1, 90.2),
        "kernel_size_7": (90.1, 90.0, 90.3),
        "fewer_activations": (92.0, 92.1, 92.3),
        "fewer_norms": (88.0, 88.2, 88.1),
        "layer_norm": (88.1, 88.0, 88.3),
    },
    (1000, 4): {
        "move_up_depthwise": (91.0, 91.3, 91.1),
        "kernel_size_7": (89.0, 89.2, 89.4),
        "fewer_activations": (92.0, 92.1, 92.3),
        "fewer_norms": (93.0, 93.2, 93.1),
        "layer_norm": (93.2, 93.1, 93.0),
    },
}


def place(cell):
    return cell.images, cell.epochs


def outcomes(changes=()):
    """Return the outcomes of all trials; `changes` are others for some (images, epochs, row, seed), None to leave it out."""
    given = dict(changes)
    found = {}
    for trial, (rung, cell) in grid_trials(STEPS, CELLS, range(3)).items():
        one = given.get((*place(cell), rung.name, trial.seed), outcome(MEASURED[place(cell)][rung.name][trial.seed]))
        if one is not None:
            found[trial] = one
    return found


@pytest.fixture(scope="module")
def table():
    return grid_table(STEPS, CELLS, outcomes())


def expected(cell, step):
    """Return (difference, half, p, df) with the deviation pooled over the rows of one cell."""
    rows = {name: np.array(values) for name, values in MEASURED[cell].items()}
    df = sum(len(values) - 1 for values in rows.values())
    variance = sum(((values - values.mean()) ** 2).sum() for values in rows.values()) / df
    error = math.sqrt(variance * (1 / 3 + 1 / 3))
    difference = rows[step.after].mean() - rows[step.before].mean()
    return difference, stats.t.ppf(0.975, df) * error, 2 * stats.t.sf(abs(difference) / error, df), df


def test_each_contrast_is_pooled_over_its_cell_and_corrected_over_the_whole_grid(table):
    assert len(table) == 12 and TEST_IMAGES == 3000
    wanted = {(step.name, *cell): expected(cell, step) for step in STEPS for cell in MEASURED}
    ranked, highest, holm = sorted(wanted, key=lambda key: wanted[key][2]), 0.0, {}
    for i, key in enumerate(ranked):
        highest = holm[key] = max(highest, min(1.0, (12 - i) * wanted[key][2]))
    assert list(zip(table["step"], table["images"], table["epochs"], strict=True)) == list(wanted)
    for row in table.to_dict("records"):
        key = row["step"], row["images"], row["epochs"]
        assert [row[name] for name in ("difference", "difference_half", "p", "df")] == pytest.approx(wanted[key])
        assert row["p_holm"] == pytest.approx(holm[key])
        assert not row["welch"] and row["n"] == 3 and row["diverged"] == 0 and row["size"] == 8
        error, df = row["difference_half"] / stats.t.ppf(0.975, 10), row["df"]
        found = stats.nct.sf(stats.t.ppf(1 - 0.05 / 12 / 2, df), df, row["smallest_effect"] / error)
        assert found == pytest.approx(0.8, abs=1e-4)


def test_verdicts_compare_with_the_paper(table):
    """In the paper, kernel size 7 (+0.65) and fewer norms (+0.14) pay; BN to LN (+0.06) is within its noise."""
    paper = {"kernel_size_7": (0.65, 1), "layer_norm": (0.06, 0), "fewer_norms": (0.14, 1)}
    verdicts = {(row["step"], row["images"], row["epochs"]): row["verdict"] for row in table.to_dict("records")}
    assert verdicts == {
        ("kernel_size_7", 100, 2): "agrees",
        ("kernel_size_7", 100, 4): "undecided",
        ("kernel_size_7", 1000, 2): "equivalent",
        ("kernel_size_7", 1000, 4): "reverses",
        ("layer_norm", 100, 2): "differs",
        ("layer_norm", 100, 4): "undecided",
        ("layer_norm", 1000, 2): "equivalent",
        ("layer_norm", 1000, 4): "equivalent",
        ("fewer_norms", 100, 2): "undecided",  # by 0.03 points, as the rows around kernel size 7 spread more
        ("fewer_norms", 100, 4): "undecided",
        ("fewer_norms", 1000, 2): "reverses",
        ("fewer_norms", 1000, 4): "agrees",
    }
    for step, (difference, sign) in paper.items():
        rows = table[table["step"] == step]
        assert set(rows["published_difference"]) == {difference} and set(rows["published_sign"]) == {sign}


def test_joined_steps_are_compared_with_the_paper_over_both():
    steps = grid_steps(["depthwise+widen"])
    cells = grid_cells("micro", "digits")
    accuracies = {"patchify_stem": (80.0, 80.3, 80.6), "widen": (70.0, 70.3, 70.6)}
    found = {
        trial: outcome(accuracies[rung.name][trial.seed])
        for trial, (rung, _) in grid_trials(steps, cells, range(3)).items()
    }
    (row,) = grid_table(steps, cells, found).to_dict("records")
    assert (row["published_difference"], row["published_sign"]) == (0.99, 1)  # 80.50 - 79.51
    assert (row["difference"], row["accuracy_before"], row["accuracy_after"]) == pytest.approx((-10.0, 80.3, 70.3))
    assert (row["images"], row["accuracies_after"], row["verdict"]) == ("all", "70.00 70.30 70.60", "reverses")
    test = stats.ttest_ind(accuracies["widen"], accuracies["patchify_stem"])
    assert row["p"] == pytest.approx(test.pvalue) and row["p_holm"] == row["p"], "a grid of one contrast"


def test_missing_and_diverged_seeds_leave_their_own_cells_without_a_verdict():
    changes = {
        (100, 2, "kernel_size_7", 2): None,
        (1000, 2, "fewer_norms", 0): outcome(None, "diverged"),
        **{(1000, 4, "layer_norm", seed): outcome(None, "diverged") for seed in range(3)},
    }
    table = grid_table(STEPS, CELLS, outcomes(changes)).set_index(["step", "images", "epochs"])
    without = {key for key, verdict in table["verdict"].items() if verdict == ""}
    assert without == {
        *(("kernel_size_7", 100, 2), ("layer_norm", 1000, 4)),
        *(("fewer_norms", 1000, 2), ("layer_norm", 1000, 2)),  # the row after one step is before the other
    }
    assert table.loc[("kernel_size_7", 100, 2), ["n", "diverged"]].tolist() == [2, 0]
    assert table.loc[("fewer_norms", 1000, 2), ["n", "diverged"]].tolist() == [2, 1]
    assert table.loc[("layer_norm", 1000, 4), ["n", "diverged"]].tolist() == [0, 3]
    assert math.isnan(table.loc[("layer_norm", 1000, 4), "difference"])
    assert table.loc[("fewer_norms", 1000, 4), "verdict"] == "agrees"


def test_without_outcomes_every_row_is_there_without_numbers():
    table = grid_table(STEPS, CELLS, {})
    assert len(table) == 12 and table["difference"].isna().all() and set(table["verdict"]) == {""}
