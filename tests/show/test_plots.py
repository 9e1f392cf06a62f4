"""The roadmap figure: bars, labels and hatching of all rows."""

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from ablation.evidence.ladder_table import ladder_table
from ablation.show.plots import plot_roadmap
from ablation.study.ladder import ladder_trials
from tests.show.looks import check_layout, drawn_texts
from tests.study.samples import outcome


@pytest.fixture
def table():
    trials = ladder_trials("micro", "digits", range(3))
    return ladder_table("micro", "digits", {trial: outcome(70 + i % 17 + trial.seed) for i, trial in enumerate(trials)})


def test_every_row_has_bars_and_labels(table):
    figure = plot_roadmap(table, "digits")
    ours, paper = figure.axes
    titles = [label.get_text() for label in ours.get_yticklabels()]
    assert titles == list(table["title"])
    for axes, column in ((ours, "accuracy"), (paper, "published_accuracy")):
        ends = [bar.get_x() + bar.get_width() for bar in axes.patches]
        assert ends == pytest.approx(list(table[column]))
        hatched = [bool(bar.get_hatch()) for bar in axes.patches]
        assert hatched == [not adopted for adopted in table["adopted"]]
        assert "top-1 accuracy (%)" in axes.get_xlabel()
    texts = {text.get_text() for text in paper.texts}
    assert {"4.46 G", "81.97"} <= texts
    shown = [text.get_text() for text in ours.texts]
    assert all(any(text.endswith(f"M  {verdict}") for text in shown) for verdict in set(table["verdict"]) - {""})
    assert ours.get_title(loc="left").splitlines()[0] == "Measured here, 3 seeds, one rate"
    before = plot_roadmap(table.drop(columns=["lr", "rates"]), "digits").axes[0]
    assert before.get_title(loc="left").splitlines()[0] == "Measured here, 3 seeds", "a file of an earlier version"


def test_no_figure_is_displayed_or_left_open(table):
    before = plt.get_fignums()
    given = Figure(figsize=(7, 6))
    assert plot_roadmap(table, "digits", given) is given
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    "label",
    ["digits", "CIFAR-10 (JPEG), 10,000 images", "photographs of flowers of the Alps, 12,345 images of 1,024 kinds"],
)
def test_texts_do_not_overlap_at_page_width(table, label):
    figure = plot_roadmap(table, label)
    check_layout(figure)
    assert {"Measured here, 3 seeds, one rate", "Published"} <= {
        text.splitlines()[0] for text, _ in drawn_texts(figure)
    }


@pytest.mark.parametrize("survivors", [0, 20])
def test_a_ladder_with_diverged_trials_is_drawn(survivors):
    trials = ladder_trials("micro", "digits", range(2))
    outcomes = {
        trial: outcome(70 + i) if i < survivors else outcome(None, "diverged") for i, trial in enumerate(trials)
    }
    table = ladder_table("micro", "digits", outcomes)
    assert len(plot_roadmap(table, "digits").axes[0].texts) >= len(table)


def test_a_ladder_without_intervals_is_drawn():
    trials = ladder_trials("micro", "digits", range(1))
    table = ladder_table("micro", "digits", {trial: outcome(70 + i) for i, trial in enumerate(trials)})
    assert "1 seeds" not in plot_roadmap(table, "digits").axes[0].get_title(loc="left")
