"""The heat maps of a grid: what each cell says, the colour scale, findings as titles, and the layout."""

from functools import cache

import matplotlib.pyplot as plt
import pytest
from matplotlib.figure import Figure

from ablation.evidence.grid_table import grid_table
from ablation.show.grid_plots import finding, plot_grid
from ablation.study.grid import grid_cells, grid_steps, grid_trials
from tests.show.looks import check_layout, note_of
from tests.study.samples import outcome

NAMES = ["kernel_size_7", "fewer_norms", "layer_norm", "depthwise+widen"]
EFFECTS = {"widen": 6.0, "layer_norm": -4.0, "kernel_size_7": 0.5}


def table(images=(1000, 3000, 10000), sizes=(32, 64), epochs=(10, 30), names=NAMES, seeds=3, spread=0.4, without=()):
    """Return the table of a grid whose rows have these effects, some of whose trials diverged."""
    steps, cells = grid_steps(names), grid_cells("small64", "imagenette", images, sizes, epochs)
    found = {}
    for i, (trial, (rung, cell)) in enumerate(grid_trials(steps, cells, range(seeds)).items()):
        value = 60.0 + EFFECTS.get(rung.name, 0.0) + spread * (7 * i % 11 - 5) / 5
        diverged = (rung.name, cell.images) in without
        found[trial] = outcome(None, "diverged") if diverged else outcome(round(value, 1))
    return grid_table(steps, cells, found)


GRIDS = {
    "the whole grid": table,
    "one cell": lambda: table((), (), (), NAMES[:1]),
    "one axis": lambda: table(sizes=(), epochs=(), names=NAMES[:3]),
    "wide numbers": lambda: table(names=NAMES[:2], spread=40.0),
    "many images": lambda: table(tuple(range(1000, 11000, 1000)), (), (), NAMES[:1]),
    "one seed": lambda: table((), (), (10, 30), NAMES[2:], seeds=1),
    "diverged": lambda: table(
        sizes=(), epochs=(), names=NAMES[1:3], without={("layer_norm", 3000), ("fewer_norms", 1000)}
    ),
    "nothing": lambda: table(
        (1000, None), (), (), NAMES[:1], without={("kernel_size_7", 1000), ("kernel_size_7", None)}
    ),
}
LABEL = "photographs of flowers of the Alps, 12,345 images of 1,024 kinds, recipe small32 with batch_size 128"


@cache
def drawn(name):
    """Return a grid and its picture."""
    grid = GRIDS[name]()
    return grid, plot_grid(grid, LABEL)


@pytest.mark.parametrize("name", GRIDS)
def test_texts_do_not_overlap_or_leave_the_figure(name):
    check_layout(drawn(name)[1])


def test_each_cell_gives_its_difference_its_interval_and_its_verdict():
    grid, figure = drawn("the whole grid")
    assert {"agrees", "differs", "undecided"} <= set(grid["verdict"])
    for name, axes in zip(NAMES, figure.axes, strict=False):
        texts = {(text.get_position()[0], text.get_position()[1]): text for text in axes.texts}
        rows = [label.get_text() for label in axes.get_yticklabels()]
        columns = [label.get_text() for label in axes.get_xticklabels()]
        assert rows == ["32 px, 10 epochs", "32 px, 30 epochs", "64 px, 10 epochs", "64 px, 30 epochs"]
        assert columns == ["1,000", "3,000", "10,000"] and axes.get_xlabel() == "training images"
        own = grid[grid["step"] == name].to_dict("records")
        assert len(texts) == len(own) == 12
        for row in own:
            x, y = columns.index(f"{row['images']:,}"), rows.index(f"{row['size']} px, {row['epochs']} epochs")
            text = texts[x + 0.5, y + 0.5]
            numbers = f"{row['difference']:+.1f} ± {row['difference_half']:.1f}"
            assert text.get_text() == f"{numbers}\n{row['verdict']}"
            assert (text.get_fontweight() == "bold") == (row["verdict"] in ("agrees", "reverses", "differs"))
        assert axes.get_title(loc="left").startswith(own[0]["title"])


def test_zero_is_the_centre_of_one_colour_scale():
    grid, figure = drawn("the whole grid")
    limits = {axes.collections[0].get_clim() for axes in figure.axes[: len(NAMES)]}
    ((low, high),) = limits
    assert low == -high and high == pytest.approx(grid["difference"].abs().max())
    assert figure.axes[-1].get_ylim() == pytest.approx((low, high))
    (axes, *_) = drawn("one cell")[1].axes
    assert axes.collections[0].get_clim() == (-2.0, 2.0), "tenths of a point stay pale"


def test_titles_say_what_was_found():
    grid, figure = drawn("the whole grid")
    counts = {name: grid[grid["step"] == name] for name in NAMES}
    assert finding(counts["depthwise+widen"]) == "pays in 12 of 12 cells; in the paper it pays"
    assert finding(counts["layer_norm"]) == "costs in 12 of 12 cells; in the paper no difference"
    texts = " ".join(figure.get_suptitle().split())
    found = grid["verdict"].isin(["agrees", "reverses", "differs"]).sum()
    assert f"{found} of 48 differences found after correction for all of them" in texts
    assert f"{LABEL}; n = 3; ± half-width of the 95 % interval" == note_of(figure)


def test_a_cell_without_a_verdict_says_why():
    (axes, *_) = drawn("nothing")[1].axes
    assert [text.get_text() for text in axes.texts] == ["unknown\n3 diverged"] * 2
    (axes, *_) = drawn("one seed")[1].axes
    assert all(text.get_text().endswith("\nn = 1") and "±" not in text.get_text() for text in axes.texts)
    assert finding(drawn("one seed")[0].head(2)) == "no verdict in 2 of 2 cells; in the paper no difference"


def test_a_given_figure_is_used_and_none_is_displayed():
    before = plt.get_fignums()
    given = Figure(figsize=(9, 9), layout="constrained")
    assert plot_grid(drawn("one cell")[0], LABEL, given) is given and given.axes
    assert plt.get_fignums() == before
