"""Titles state what the data show: other data, another title; too little data, no finding."""

import numpy as np
import pandas as pd
import pytest

from ablation.evidence.intervals import mean_intervals
from ablation.measure.faithfulness import Curves
from ablation.measure.jacobian import JacobianChange
from ablation.measure.norms import NormStatistics
from ablation.measure.receptive_field import ERF
from ablation.measure.support import Field
from ablation.show.attribution_maps import maps_finding
from ablation.show.attributions import curves_finding, gaps_finding
from ablation.show.choose import choose
from ablation.show.fields import NetworkField, fields_finding, plot_fields
from ablation.show.inside import jacobians_finding, norms_finding, plot_norms
from ablation.show.name_points import name_points
from ablation.show.rate_plots import rates_finding
from ablation.show.signal_plot import plot_signals
from ablation.show.speed import operators_finding, speed_finding
from ablation.show.style import NOTE, PAGE_INCHES, SMALL, TITLE, headline, new_figure, text_inches, wrap
from tests.redraw import FIGURES, redraw
from tests.show.looks import check_layout, drawn_texts


def field(title, width, size=48):
    rows = np.arange(size) - size / 2
    bump = np.exp(-(rows[:, None] ** 2 + rows[None] ** 2) / (2 * width**2))
    return NetworkField(title, ERF(bump, 8, "stages", (3, 3), False), Field(35, 35))


def test_fields_name_the_first_the_last_and_the_widest():
    grows, hump = [field("a", 2), field("b", 3), field("c", 6)], [field("a", 2), field("b", 6), field("c", 3)]
    sides = [entry.effective.side(0.5) for entry in grows]
    assert fields_finding(grows) == f"Half of the effective field is {sides[0]} px wide in a and {sides[2]} px in c"
    assert fields_finding(hump).endswith(f"{sides[1]} px in c; it is widest in b, {sides[2]} px")
    assert fields_finding(grows[:1]) == f"Half of the effective field is {sides[0]} px wide in a"


def test_of_many_networks_those_that_differ_are_drawn():
    assert choose([5, 5, 5, 9, 9, 9, 2, 2], 4) == [0, 3, 6, 7]
    assert choose([1, 2], 4) == [0, 1]
    widths = [2, 2, 2, 2, 2, 8, 8, 8, 8, 3, 3, 3]
    figure = plot_fields([field(f"network {i}", width) for i, width in enumerate(widths)])
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert len(titles) == 8 and {"network 0", "network 5", "network 9", "network 11"} <= set(titles)
    shares = [1.0, 1.0, 1.0, 0.2, 0.2, 0.2]
    gains = {f"n{i}": {"full": [1.0], "narrow": [share], "carried": [1.0]} for i, share in enumerate(shares)}
    drawn = [axes.get_title(loc="left") for axes in plot_signals(gains, 4, 2.0).axes]
    assert len(drawn) == 4 and {"n0", "n3", "n5"} <= set(drawn)


def norms(spreads):
    return [NormStatistics("n", "BatchNorm2d", spread, 1.0, 1.0, None) for spread in spreads]


def test_norms_are_three_panels_and_their_range():
    networks = {
        "a": norms([0.1] * 9),
        "b": norms([0.1] * 9),
        "c": norms([0.5] * 4),
        "d": norms([0.5] * 4),
        "e": norms([0.2, 2.0] * 2),
    }
    figure = plot_norms(networks)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a\n9 norms", "c\n4 norms", "e\n4 norms"]
    assert figure.get_suptitle() == "Norms turn standard deviations of 0.1 to 2 into 1"
    assert norms_finding({"a": networks["c"]}) == "Norms turn standard deviations of 0.5 into 1"


def test_jacobians_say_how_much_each_layer_changes():
    maps = np.ones((2, 3, 3))
    changes = {"7 x 7\nconvolution": JacobianChange(np.zeros(2), maps), "attention": JacobianChange(np.ones(2), maps)}
    assert jacobians_finding(changes) == (
        "From image to image the Jacobian changes by 0 % in the 7 x 7 convolution and 100 % in the attention"
    )


def test_the_slowest_mac_is_named_unless_quartiles_overlap():
    rows = {
        "title": ["a", "b"],
        "macs": [10, 10],
        "seconds": [1.0, 3.0],
        "batch": 1,
        "published_accuracy": [70.0, 69.0],
    }
    table = pd.DataFrame({**rows, "low": [0.9, 2.9], "high": [1.1, 3.1]})
    assert (
        speed_finding(table)
        == "MACs are not time: one MAC takes 3.0 times as long in b as in a; 1 of 2 networks is Pareto-optimal"
    )
    wide = table.assign(low=[0.1, 0.9])
    assert speed_finding(wide).startswith("Whether a MAC takes longer in some networks is undecided")


def test_operators_give_the_share_of_layers_without_macs():
    rows = {"title": 2 * ["a"], "kind": ["pointwise", "other"], "macs": [9, 0]}
    texts = [operators_finding(pd.DataFrame({**rows, "seconds": seconds})) for seconds in ([3, 1], [1, 3])]
    assert [text.split("take ")[1] for text in texts] == ["25 % of the time", "75 % of the time"]


def curve(area, images=6):
    values = np.linspace(-0.01, 0.01, images)[:, None] + np.full((images, 5), area)
    return Curves(np.linspace(0, 1, 5), values, 1 - values)


def test_curves_name_the_best_only_where_intervals_are_apart():
    apart, close = {"a": curve(0.8), "b": curve(0.2)}, {"a": curve(0.5), "b": curve(0.501)}
    assert curves_finding(apart, mean_intervals) == (
        "Insertion is best for a (0.80) and worst for b (0.20); deletion is best for a (0.20) and worst for b (0.80)"
    )
    undecided = "Insertion is undecided between 2 curves; deletion is undecided between 2 curves"
    assert curves_finding(close, mean_intervals) == undecided
    assert curves_finding({"a": curve(0.8, 1), "b": curve(0.2, 1)}, mean_intervals) == undecided, "one image"


def test_gaps_name_the_row_that_changes_them():
    table = pd.DataFrame({"title": ["a", "a", "b", "b"], "gap": [0.01, 0.03, 0.03, 0.05]})
    assert gaps_finding(table) == "The median gap is 2 % to 4 %"
    assert gaps_finding(table.assign(gap=[1e-7, 1e-7, 0.01, 0.01])) == "At b the median gap rises from 0.00001 % to 1 %"
    assert gaps_finding(table.assign(gap=0.0)) == "The median gap is 0 % in every row"


def test_maps_say_which_rows_are_alike():
    one, other = np.random.default_rng(0).normal(size=(2, 3, 4, 4))
    signed = dict.fromkeys("abc", True)
    assert "in a b and c have" in maps_finding({"a\nb": one, "c": one}, {"a\nb": True, "c": True})
    assert maps_finding({"a": one}, signed) == "Attributions: a"
    assert maps_finding({"a": one, "b": -one}, signed).endswith("in a and b have a correlation of -1.00")
    assert maps_finding({"a": one, "b": -one}, {"a": True, "b": False}).endswith("of 1.00"), "without a sign"
    assert "most alike in a and c (correlation 1.00)" in maps_finding({"a": one, "b": other, "c": one}, signed)
    assert maps_finding({"a": one, "b": np.zeros_like(one)}, signed) == "Attributions: a, b", "a constant map"


def test_rates_name_the_best_and_where_it_lies():
    rows = pd.DataFrame({"member": "modern", "recipe": "m", "lr": [1.0, 2.0, 4.0], "best": [False, True, False]})
    assert rates_finding(rows) == "Best learning rate: m 2, of 3"
    assert rates_finding(rows.assign(best=[True, False, False])) == "Best learning rate: m 1, the lowest of 3"
    assert rates_finding(rows.assign(best=False)) == "Best learning rate: m none, all of 3 diverge"


def test_headlines_fit_the_width_and_add_their_height():
    figure = new_figure(PAGE_INCHES, 2.0)
    figure.subplots().set_title("a panel", loc="left")
    headline(figure, "a finding of many words " * 6, "what it was measured on " * 9)
    check_layout(figure)
    (title,) = (box for text, box in drawn_texts(figure) if text == figure.get_suptitle())
    (note,) = (text for text in figure.texts if text.get_gid() == NOTE)
    assert figure.get_size_inches()[1] > 2.0 + title.height / figure.dpi
    assert figure.get_suptitle().count("\n") == 1 and note.get_text().count("\n") >= 1
    assert SMALL >= 7, "points at print size"


def test_wrapped_lines_are_as_long_as_they_are_drawn():
    figure = new_figure(4, 1)
    text = figure.text(0, 0.5, "Of 16 steps on CIFAR-10", fontsize=TITLE, fontweight="bold")
    (drawn,) = (box.width / figure.dpi for _, box in drawn_texts(figure))
    assert text_inches(text.get_text(), TITLE, "bold") == pytest.approx(drawn, rel=0.03)
    lines = wrap("one two three four five six seven", 1.0, TITLE).split("\n")
    assert len(lines) > 1 and all(text_inches(line, TITLE) <= 1.0 for line in lines)


def test_names_of_a_crowd_do_not_overlap():
    axes = new_figure(3.4, 3.0).subplots()
    x, y = np.random.default_rng(1).normal(0, 0.02, (2, 14))
    axes.scatter(x, y)
    axes.set_xlim(-0.3, 0.3)
    axes.set_ylim(-0.3, 0.3)
    name_points(axes, x, y, [f"network {i}" for i in range(14)])
    assert sum(text.startswith("network") for text, _ in drawn_texts(axes.figure)) == 14
    check_layout(axes.figure)


def test_the_picture_of_the_readme_says_what_its_table_says():
    table = pd.read_csv(FIGURES / "roadmap-cifar10-10k.csv")
    counts = table["verdict"].value_counts()
    assert redraw("roadmap-cifar10-10k").get_suptitle() == (
        f"Of 16 steps on CIFAR-10, {counts['agrees']} agree with the paper, {counts['reverses']} reverse it, "
        f"{counts['differs']} differ and {counts['undecided']} are undecided"
    )
