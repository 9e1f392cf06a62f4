"""All kinds of figures, with random data: units, layout, use of given figures, and no display."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ablation.design.roadmap import roadmap
from ablation.evidence.intervals import mean_intervals
from ablation.measure.breakdown import KINDS
from ablation.measure.faithfulness import Curves, Randomised
from ablation.measure.jacobian import JacobianChange
from ablation.measure.layer_fields import GLOBAL, PRODUCTIVE, LayerField
from ablation.measure.norms import NormStatistics
from ablation.measure.receptive_field import ERF
from ablation.measure.support import Field
from ablation.show.attributions import plot_attributions, plot_curves, plot_gaps, plot_randomisation
from ablation.show.fields import NetworkField, plot_fields
from ablation.show.inside import plot_drift, plot_jacobians, plot_norms
from ablation.show.layer_plots import plot_layer_fields
from ablation.show.signal_plot import plot_signals
from ablation.show.speed import pareto_front, plot_operators, plot_speed
from ablation.show.style import new_figure
from tests.show.looks import check_layout, drawn_texts

RNG = np.random.default_rng(0)
RUNGS = [rung for rung in roadmap() if rung.recipe == "modern"]
TITLES = [rung.title.removesuffix(" (enhanced recipe)") for rung in RUNGS]


def bump(size, width):
    rows = np.arange(size) - size / 2
    return np.exp(-(rows[:, None] ** 2 + rows[None] ** 2) / (2 * width**2))


def fields():
    sides = (35, 64, 120, 500)
    return [
        NetworkField(
            title, ERF(bump(96, 6 + i), 8, "stages", (3, 3), False), Field(side, side, i == 3, (-side // 2, -side // 2))
        )
        for i, (title, side) in enumerate(zip(TITLES, sides * 4, strict=True))
    ]


def speeds():
    seconds = RNG.uniform(0.4, 0.8, len(RUNGS))
    return pd.DataFrame(
        {
            "title": TITLES,
            "macs": [RNG.integers(2_300_000_000, 5_300_000_000) for _ in RUNGS],
            "seconds": seconds,
            "low": seconds * 0.98,
            "high": seconds * 1.03,
            "batch": 8,
            "published_accuracy": [rung.published.accuracy for rung in RUNGS],
        }
    )


def operators():
    rows = [(title, kind, RNG.integers(0, 10**9), RNG.uniform()) for title in TITLES for kind in KINDS]
    return pd.DataFrame(rows, columns=["title", "kind", "macs", "seconds"])


def maps(names, shape=(6, 8, 8)):
    return {name: RNG.normal(size=shape) for name in names}


def curves():
    shares = np.linspace(0, 1, 21)
    return {name: Curves(shares, RNG.uniform(size=(9, 21)), RNG.uniform(size=(9, 21))) for name in TITLES[:4]}


def norms():
    return {
        title: [NormStatistics(f"n{i}", "BatchNorm2d", *RNG.uniform(0.5, 9, 3), drift=0.1 * i) for i in range(5 + j)]
        for j, title in enumerate(TITLES)
    }


def gaps():
    rows = [(title, 10.0 ** RNG.uniform(-8, 0)) for title in TITLES for _ in range(16)]
    return pd.DataFrame(rows, columns=["title", "gap"])


def jacobians():
    weights = np.zeros((4, 21, 21))
    weights[:, 7:14, 7:14] = RNG.uniform(size=(4, 7, 7))
    names = ("7 x 7 depthwise\nconvolution", "7 x 7 window\nattention")
    return {name: JacobianChange(RNG.uniform(size=4), weights) for name in names}


def layers(status, count=30):
    """Layers of a network whose fields double, seen and not seen to cover the image."""
    known = status != GLOBAL
    return tuple(
        LayerField(
            f"{i}",
            "Conv2d 3x3",
            2 ** (i // 3) + 1,
            2 ** (i // 3) if known else None,
            1 if known else None,
            224,
            not known,
        )
        for i in range(count)
    )


def gains(titles):
    return {title: {kind: RNG.uniform(0.01, 9, 18) for kind in ("full", "narrow", "carried")} for title in titles}


LAYERS = {f"a network of the ladder, {i}": layers(PRODUCTIVE if i % 2 else GLOBAL) for i in range(6)}
FIGURES = {
    "layers": lambda figure=None: plot_layer_fields(LAYERS, figure),
    "layers of one network": lambda figure=None: plot_layer_fields(dict(list(LAYERS.items())[:1]), figure),
    "fields": lambda figure=None: plot_fields(fields(), figure=figure),
    "one field": lambda figure=None: plot_fields(fields()[:1], figure=figure),
    "speed": lambda figure=None: plot_speed(speeds(), figure),
    "operators": lambda figure=None: plot_operators(operators(), figure),
    "attributions": lambda figure=None: plot_attributions(
        RNG.uniform(size=(6, 8, 8)), maps(TITLES[:4]), True, figure=figure
    ),
    "methods": lambda figure=None: plot_attributions(
        RNG.uniform(size=(6, 8, 8, 3)),
        maps(("saliency", "integrated gradients")),
        {"saliency": False, "integrated gradients": True},
        [f"image {i}: {100 * i}" for i in range(6)],
        figure,
    ),
    "gaps": lambda figure=None: plot_gaps(gaps(), figure),
    "curves": lambda figure=None: plot_curves(curves(), mean_intervals, figure),
    "norms": lambda figure=None: plot_norms(norms(), figure),
    "signals": lambda figure=None: plot_signals(gains(TITLES), 4, 2.0, figure),
    "signals of three networks": lambda figure=None: plot_signals(gains(TITLES[:3]), 4, 2.0, figure),
    "signals of one network": lambda figure=None: plot_signals(gains(TITLES[:1]), 4, 2.0, figure),
    "jacobians": lambda figure=None: plot_jacobians(jacobians(), figure=figure),
}


@cache
def drawn(name):
    return FIGURES[name]()


@pytest.mark.parametrize("name", FIGURES)
def test_texts_do_not_overlap_or_leave_the_figure(name):
    check_layout(drawn(name))


@pytest.mark.parametrize("name", FIGURES)
def test_a_given_figure_is_used_and_none_is_displayed(name):
    before = plt.get_fignums()
    given = Figure(figsize=(9, 9), layout="constrained")
    assert FIGURES[name](given) is given and given.axes
    assert plt.get_fignums() == before


AXES = {
    "randomisation": lambda axes=None: plot_randomisation(
        {"saliency": [Randomised(part, RNG.uniform(size=4)) for part in ("", "head", "stages.3", "stem")]}, axes
    ),
    "drift": lambda axes=None: plot_drift({"ResNet-50": norms()[TITLES[0]]}, axes),
}


@pytest.mark.parametrize("name", AXES)
def test_given_axes_are_used(name):
    given = new_figure(3.4, 2.4).subplots()
    assert AXES[name](given) is given and given.lines
    check_layout(given.figure)
    check_layout(AXES[name]().figure)


def test_the_layout_check_finds_overlapping_and_cut_texts():
    figure = Figure(figsize=(2, 2))
    figure.text(0.5, 0.5, "one")
    check_layout(figure)
    figure.text(0.52, 0.5, "two")
    with pytest.raises(AssertionError, match="overlaps"):
        check_layout(figure)
    edge = Figure(figsize=(2, 2))
    edge.text(0.9, 0.5, "a long label")
    with pytest.raises(AssertionError, match="extends beyond"):
        check_layout(edge)


def test_axis_labels_have_units():
    texts = {text for name in ("speed", "operators", "curves") for text, _ in drawn_texts(drawn(name))}
    for unit in ("multiply-accumulates (G)", "latency (ms per image)", "share of time (%)", "pixels put in (%)"):
        assert unit in texts


def test_the_theoretical_square_lies_at_the_field_of_the_middle_position():
    field = NetworkField(
        "", ERF(bump(96, 6), 8, "stages", (3, 3), False), Field(35, 35, offset=(-17, -17), stride=(32, 32))
    )
    (axes, _) = plot_fields([field]).axes
    square = axes.patches[-1]
    assert (square.get_x(), square.get_y(), square.get_width()) == (32 - 17, 32 - 17, 35)  # position 1 of 3, stride 32


def test_a_field_larger_than_the_image_is_labelled_but_not_drawn():
    panels = fields()[2:4]
    figure = plot_fields(panels)
    drawn = [len(axes.patches) for axes in figure.axes[:2]]
    assert drawn == [1, 1]
    assert [axes.get_xlabel().split("; ")[1] for axes in figure.axes[:2]] == ["theory 120 px", "theory whole image"]


def test_pareto_front():
    assert pareto_front([1, 2, 3, 3], [10, 9, 12, 11]) == {0, 2}
    assert pareto_front([1, 1], [5, 5]) == {0, 1}


def test_stacked_shares_add_up_to_100_percent():
    figure = plot_operators(operators())
    for axes in figure.axes:
        ends = [bar.get_x() + bar.get_width() for bar in axes.containers[-1]]
        assert ends == pytest.approx([100] * len(TITLES))


def test_zero_is_the_centre_of_the_signed_colour_scale():
    figure = plot_attributions(RNG.uniform(size=(2, 4, 4)), {"a": RNG.normal(size=(2, 4, 4)) + 3}, True)
    for axes in figure.axes[2:4]:
        low, high = axes.images[0].get_clim()
        assert low == -high


def test_only_the_first_row_of_jacobians_has_titles():
    titles = [axes.get_title() for axes in plot_jacobians(jacobians()).axes]
    assert titles[:8] == ["image 1", "image 2", "image 3", "image 4"] + [""] * 4


def test_a_curve_of_one_image_has_no_band():
    one = {name: Curves(c.shares, c.insertion[:1], c.deletion[:1]) for name, c in curves().items()}
    figure = plot_curves(one, mean_intervals)
    figure.draw_without_rendering()
    bands = [
        np.concatenate([path.vertices for path in band.get_paths()] or [[]]) for band in figure.axes[0].collections
    ]
    assert len(bands) == len(one) and not any(np.isfinite(band).any() for band in bands)
