"""Figures of notebooks 02 and 06: values, scales, labels and layout."""

import numpy as np
import pytest

import ablation as ab
from ablation import steps
from ablation.show.aliasing_plots import plot_passed, plot_shift_errors, plot_through
from ablation.show.pyramid import Level, plot_costs, plot_pyramids
from ablation.show.stems import plot_stems
from ablation.show.style import new_figure
from tests.show.looks import check_layout, drawn_texts

RNG = np.random.default_rng(0)


def make_levels(widest=768, blocks=9):
    stages = [Level(f"stage {i + 1}", widest // 2 ** (3 - i), 56 // 2**i, blocks) for i in range(4)]
    return [Level("stem", widest // 8, 56), *stages]


def make_stems():
    neighbours = np.zeros((2, 16, 16), dtype=bool)
    neighbours[0, 4:11, 2:9] = neighbours[1, 4:11, 6:13] = True
    return {"conv stem": neighbours, "patchify stem": neighbours}, {
        name: RNG.integers(1, 9, (16, 16)) for name in ("conv stem", "patchify stem")
    }


COSTS = {str(a.depths): ab.cost(a) for a in (ab.RESNET50, ab.RESNET50.apply(steps.stage_ratio()))}
FIGURES = {
    "pyramids": lambda figure=None: plot_pyramids(
        {"from 'ResNet-50' on": make_levels(2048, 1), "inverted": make_levels()}, figure
    ),
    "costs": lambda figure=None: plot_costs(COSTS, figure),
    "stems": lambda figure=None: plot_stems(*make_stems(), figure),
    "through": lambda figure=None: plot_through(
        {f"way {i}, drawn at random": RNG.normal(size=(8, 8)) for i in range(5)}, figure
    ),
}
NAMES = ("3x3, stride 2 (block)", "2x2, stride 2 (separate)", "average pool 2x2 (pool)")
AXES = {
    "passed": lambda axes=None: plot_passed({name: RNG.uniform(size=16) for name in NAMES}, axes),
    "shifts": lambda axes=None: plot_shift_errors(range(33), {name: RNG.uniform(size=(3, 33)) for name in NAMES}, axes),
}


@pytest.mark.parametrize("name", FIGURES)
def test_texts_do_not_overlap_and_a_given_figure_is_used(name):
    check_layout(FIGURES[name]())
    given = new_figure(9, 9)
    assert FIGURES[name](given) is given and given.axes


@pytest.mark.parametrize("name", AXES)
def test_given_axes_are_used_and_texts_do_not_overlap(name):
    check_layout(AXES[name]().figure)
    given = new_figure(9, 4).subplots()
    assert AXES[name](given) is given and given.lines


def test_bars_of_pyramids_share_one_scale():
    figure = FIGURES["pyramids"]()
    wide, narrow = ([(bar.get_width(), bar.get_height()) for bar in axes.patches] for axes in figure.axes)
    for sizes in (wide, narrow):
        assert [sizes[i][1] / sizes[i + 1][1] for i in range(1, 4)] == pytest.approx([2, 2, 2])
        assert sizes[-1][0] / sizes[-2][0] == pytest.approx(2)
    assert wide[-1][0] / narrow[-1][0] == pytest.approx(2048 / 768)
    texts = [text for text, _ in drawn_texts(figure)]
    assert "stage 4: 7 x 7\n2048 channels, 1 block" in texts and "stem: 56 x 56\n96 channels" in texts


def test_stacked_costs_add_up_to_the_total():
    for axes, quantity, unit in zip(FIGURES["costs"]().axes, ("params", "macs"), (1e6, 1e9), strict=True):
        ends = [bar.get_x() + bar.get_width() for bar in axes.containers[-1]]
        assert ends == pytest.approx([getattr(cost, quantity) / unit for cost in COSTS.values()])


def test_stem_labels_count_shared_pixels_and_positions():
    left, right = FIGURES["stems"]().axes[:2]
    assert left.get_xlabel() == "49 pixels a position, 21 shared"
    assert right.get_xlabel() == "each pixel reaches 1 to 8 positions"


def test_energy_is_relative_to_its_mean_and_labels_give_the_folded_share():
    energy = np.array([3.0, 1.0, 1.0, 3.0])
    axes = plot_passed({"a": energy})
    assert list(axes.lines[0].get_ydata()) == [1.5, 0.5, 0.5, 1.5]
    assert axes.get_legend().get_texts()[0].get_text() == "a: 50 % folds"
    assert axes.patches[0].get_x() == 0.25
