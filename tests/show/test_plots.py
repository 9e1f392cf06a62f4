"""The roadmap figure: dots, intervals, marks and the computed title."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from ablation.evidence.ladder_table import ladder_table
from ablation.show.plots import plot_roadmap
from ablation.show.verdict_marks import LOOKS, START, ladder_finding
from ablation.study.ladder import ladder_trials
from tests.show.looks import check_layout, drawn_texts, note_of
from tests.study.samples import outcome

VERDICTS = [verdict for verdict in LOOKS if verdict != START]


@pytest.fixture(scope="module")
def table():
    trials = ladder_trials("micro", "digits", range(3))
    return ladder_table("micro", "digits", {trial: outcome(70 + i % 17 + trial.seed) for i, trial in enumerate(trials)})


def marked(table, verdicts):
    """Return the table with these verdicts in turn, from the second row on."""
    return table.assign(verdict=["", *(verdicts[i % len(verdicts)] for i in range(len(table) - 1))])


def marks(axes):
    """Return the marks over all rows: (row, place, line)."""
    lines = [line for line in axes.lines if line.get_marker() not in ("None", None, "<", ">")]
    return sorted(((line.get_ydata()[0], line.get_xdata()[0], line) for line in lines), key=lambda mark: mark[0])


def test_every_row_has_a_dot_at_its_distance_from_the_enhanced_recipe_in_both_ladders(table):
    ours, paper = plot_roadmap(table, "digits").axes
    expected = table["accuracy"] - table["accuracy"][1]
    assert [place for _, place, _ in marks(ours)] == pytest.approx(list(expected))
    published = np.concatenate([line.get_xdata() for line in paper.lines if line.get_marker() == "o"])
    assert sorted(published) == pytest.approx(sorted(table["published_accuracy"] - table["published_accuracy"][1]))
    assert ours.get_xlim() == paper.get_xlim() and ours.get_xlim()[0] < 0 < ours.get_xlim()[1]
    assert ours.get_xlabel() == paper.get_xlabel() == "points above ResNet-50 (enhanced recipe)"


def test_every_row_has_its_numbers(table):
    figure = plot_roadmap(table, "digits")
    ours, paper = figure.axes
    titles = [label.get_text() for label in ours.get_yticklabels()]
    assert titles == [
        t if kept else f"{t} (not kept)" for t, kept in zip(table["title"], table["adopted"], strict=True)
    ]
    assert {"4.46 G", "81.97", "“FLOPs”"} <= {text.get_text() for text in paper.texts}
    assert {f"{value:.1f}" for value in table["accuracy"]} <= {text.get_text() for text in ours.texts}
    assert note_of(figure).startswith("digits; 3 seeds, one rate; bars: 95 % interval")
    before = plot_roadmap(table.drop(columns=["lr", "rates"]), "digits")
    assert note_of(before).startswith("digits; 3 seeds; bars"), "a file of an earlier version"


def test_intervals_are_as_long_as_in_the_table_and_an_arrow_says_where_they_go_on(table):
    halves = table["accuracy_half"].astype(float).mask(table.index == 3, 60.0)
    ours = plot_roadmap(table.assign(accuracy_half=halves), "digits").axes[0]
    drawn = {
        line.get_ydata()[0]: np.ptp(line.get_xdata()) / 2
        for line in ours.lines
        if list(line.get_ydata()) == 2 * [line.get_ydata()[0]]
    }
    expected = {row: half for row, half in halves.items() if row != 3}
    assert {row: drawn[row] for row in expected} == pytest.approx(expected)
    arrows = [(line.get_marker(), line.get_ydata()[0]) for line in ours.lines if line.get_marker() in ("<", ">")]
    assert sorted(arrows) == [("<", 3), (">", 3)] and drawn[3] == pytest.approx(np.ptp(ours.get_xlim()) / 2)


def test_verdicts_differ_in_colour_and_shape(table):
    figure = plot_roadmap(marked(table, VERDICTS), "digits")
    drawn = marks(figure.axes[0])[1:]
    looks = {(line.get_color(), line.get_marker(), line.get_markerfacecolor() == "white") for _, _, line in drawn}
    assert len(looks) == len(VERDICTS) == len({look[1:] for look in looks}), "shapes alone tell them apart"
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == [*(LOOKS[verdict].legend for verdict in VERDICTS), "kept rows"]
    assert len(plot_roadmap(marked(table, ["agrees"]), "digits").legends[0].get_texts()) == 2, "only what occurs"


def contrast(colour):
    """Return the contrast of a colour on white, by WCAG 2."""
    channels = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 1.05 / (0.05 + sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), channels, strict=True)))


def test_marks_stand_out_from_white():
    assert min(contrast(look.colour) for look in LOOKS.values()) > 2.4
    assert contrast(LOOKS["undecided"].colour) > 4.5


@pytest.mark.parametrize(
    ("verdicts", "title"),
    [
        (["undecided"], "All 16 steps on digits are undecided"),
        (["agrees"], "All 16 steps on digits agree with the paper"),
        (["agrees", "reverses"], "Of 16 steps on digits, 8 agree with the paper and 8 reverse it"),
        (["reverses"] * 15 + ["differs"], "Of 16 steps on digits, 15 reverse the paper and 1 differs"),
        (["equivalent", "", "", ""], "Of 16 steps on digits, 4 are equivalent and 12 have no verdict"),
        ([""], "No verdict on any of 16 steps on digits"),
    ],
)
def test_the_title_counts_the_verdicts(table, verdicts, title):
    assert ladder_finding(marked(table, verdicts), "digits") == title


def test_the_title_of_the_figure_is_its_finding(table):
    first, second = (plot_roadmap(marked(table, given), "digits") for given in (["agrees"], ["differs", "undecided"]))
    assert first.get_suptitle() == "All 16 steps on digits agree with the paper"
    assert second.get_suptitle() == "Of 16 steps on digits, 8 differ and 8 are undecided"


def test_no_figure_is_displayed_or_left_open(table):
    before = plt.get_fignums()
    given = Figure(figsize=(7, 6))
    assert plot_roadmap(table, "digits", given) is given
    assert plt.get_fignums() == before


@pytest.mark.parametrize(
    "label", ["digits", "photographs of flowers of the Alps, 12,345 images of 1,024 kinds, at 3 times the rate"]
)
def test_texts_do_not_overlap_at_page_width(table, label):
    figure = plot_roadmap(marked(table, VERDICTS), label)
    check_layout(figure)
    assert {"measured here", "published, ImageNet-1K"} <= {text for text, _ in drawn_texts(figure)}


@pytest.mark.parametrize("survivors", [0, 20])
def test_a_ladder_with_diverged_trials_is_drawn(survivors):
    trials = ladder_trials("micro", "digits", range(2))
    outcomes = {
        trial: outcome(70 + i) if i < survivors else outcome(None, "diverged") for i, trial in enumerate(trials)
    }
    figure = plot_roadmap(ladder_table("micro", "digits", outcomes), "digits")
    assert [text.get_text() for text in figure.axes[0].texts].count("diverged") == (0 if survivors else 17)
    found = "No verdict on any of 16 steps on digits" if survivors else "No row of 17 has an accuracy on digits"
    assert figure.get_suptitle() == found and "diverged" in note_of(figure)
    check_layout(figure)


def test_a_ladder_without_intervals_is_drawn():
    trials = ladder_trials("micro", "digits", range(1))
    table = ladder_table("micro", "digits", {trial: outcome(70 + i) for i, trial in enumerate(trials)})
    assert "digits; 1 seed, one rate; published ± std" in note_of(plot_roadmap(table, "digits"))
