"""The heat map of learning rates of each row: its cells, frames and title."""

import math

import matplotlib.pyplot as plt

from ablation.design.recipes import family
from ablation.evidence.row_rate_table import row_rate_table
from ablation.show.row_rate_plots import plot_row_rates
from ablation.show.style import new_figure
from ablation.study.row_rates import GRID, row_rate_trials
from tests.show.looks import check_layout, note_of
from tests.study.samples import TEST_IMAGES, outcome

PAIR = family("small32")
RATES = {member: [factor * getattr(PAIR, member).lr for factor in GRID] for member in ("original", "modern")}


def table(best, rates=RATES, start="resnet50", fall=5.0):
    """Return a table in which an accuracy falls by some points for each rate between it and the best one, by position."""
    trials = row_rate_trials(PAIR, "cifar10#10000+5000", rates, start=start)
    outcomes = {}
    for trial, (rung,) in trials.items():
        position = rates[rung.recipe].index(trial.recipe.lr)
        outcomes[trial] = outcome(60.0 - fall * abs(position - best.get(rung.name, 2)))
    return row_rate_table(PAIR, trials, outcomes, start)


def title(table):
    figure = plot_row_rates(table, "CIFAR-10")
    return " ".join(figure.get_suptitle().split()), note_of(figure).partition(" held-out")[0]


def test_every_cell_has_its_accuracy_and_the_best_is_framed():
    drawn = table({"gelu": 4, "widen": 1})
    first, second, bar = plot_row_rates(drawn, "CIFAR-10").axes
    assert bar.get_ylabel() == "points below the row's best"
    assert [text.get_text() for text in first.get_xticklabels()] == ["0.0125", "0.025", "0.05", "0.1", "0.2"]
    titles = [text.get_text() for text in second.get_yticklabels()]
    cells = {(text.get_position()): text.get_text() for text in second.texts}
    for row in drawn[drawn["member"] == "modern"].to_dict("records"):
        place = (RATES["modern"].index(row["lr"]) + 0.5, titles.index(row["title"]) + 0.5)
        assert cells[place] == f"{row['held_out_accuracy']:.1f}"
        framed = [
            patch.get_extents().x0
            for patch in second.patches
            if patch.contains_point(second.transData.transform(place))
        ]
        assert len(framed) == row["best"]
    assert cells[(1.01, titles.index("ReLU to GELU") + 0.5)] == "0.016, highest tried"
    assert cells[(1.01, titles.index("increase width") + 0.5)] == "0.002"


def test_the_title_says_what_the_rate_of_the_recipe_costs():
    assert title(table({})) == ("At the rate of the recipe, none of 17 rows loses over one standard error", "CIFAR-10")
    lost, label = title(table({"gelu": 4, "widen": 1}))
    assert (
        lost == "At the rate of the recipe, 2 of 17 rows lose over one standard error, up to 10.0 points (ReLU to GELU)"
    )
    assert label == "CIFAR-10; 1 row is best at an edge of the rates tried"
    error = math.sqrt(60 * 40 / TEST_IMAGES)
    assert title(table({"gelu": 3}, fall=0.9 * error))[0] == title(table({}))[0], (
        "no more than the error of an accuracy"
    )
    assert "1 of 17 rows loses over" in title(table({"gelu": 3}, fall=1.1 * error))[0]
    others = {member: [rate for rate in rates if rate != rates[2]] for member, rates in RATES.items()}
    found, label = title(table(dict.fromkeys(["original_recipe"], 0), others))
    assert found == "17 rows do best at rates from 0.008 to 0.0125" and label.startswith("CIFAR-10; 1 row is")


def test_rates_that_diverged_are_drawn():
    drawn = table({"layer_norm": 4})
    for rows, cells in ((drawn["rung"] == "gelu", 5), (drawn["rung"] != "", 17 * 5)):
        lost = drawn.assign(held_out_accuracy=drawn["held_out_accuracy"].mask(rows))
        lost = lost.assign(
            mean_accuracy=lost["held_out_accuracy"], best=lost["best"] & ~rows, near_best=lost["near_best"] & ~rows
        )
        texts = [text.get_text() for axes in plot_row_rates(lost, "CIFAR-10").axes for text in axes.texts]
        assert texts.count("diverged") == cells
    assert title(lost)[0] == "All rates of all 17 rows diverged"


def test_texts_do_not_overlap_and_a_given_figure_is_used():
    drawn = table({"gelu": 4, "widen": 0, "stage_ratio": 4}, start="resnet200")
    before, given = plt.get_fignums(), new_figure(9, 8)
    assert (
        plot_row_rates(drawn, 2 * "flowers of the Alps, 12,345 images of 1,024 kinds, 5,000 held out", given) is given
    )
    assert plt.get_fignums() == before
    check_layout(given)


def test_many_rates_are_drawn_without_numbers():
    rates = {member: [0.001 * i for i in range(1, 14)] for member in RATES}
    figure = plot_row_rates(table({}, rates), "CIFAR-10")
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert set(texts) == {"0.003"}, "the rate of each row"
