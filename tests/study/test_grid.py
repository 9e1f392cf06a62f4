"""Grids: steps by the names of rows, cells of images, sizes and epochs, and the order of their trials."""

import pytest

from ablation import AblationError
from ablation.design.recipes import FAMILIES
from ablation.study.grid import MAX_CONTRASTS, grid_cells, grid_rungs, grid_steps, grid_trials
from ablation.study.ladder import ladder_trials

FREE = "imagenette"  # a data set whose size the recipe sets; only its description is needed


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("layer_norm", "fewer_norms", "layer_norm"),
        ("kernel_size_11", "move_up_depthwise", "kernel_size_11"),
        ("gelu", "kernel_size_7", "gelu"),
        ("depthwise+widen", "patchify_stem", "widen"),
        ("kernel_size_7+gelu+fewer_activations", "move_up_depthwise", "fewer_activations"),
        ("enhanced_recipe", "original_recipe", "enhanced_recipe"),
    ],
)
def test_a_step_is_compared_with_the_row_before_it(name, before, after):
    (step,) = grid_steps([name])
    assert (step.name, step.before, step.after) == (name, before, after)


def test_without_names_the_steps_are_those_that_the_paper_kept():
    assert [step.name for step in grid_steps()] == [
        *("stage_ratio", "patchify_stem", "depthwise", "widen", "inverted_bottleneck", "move_up_depthwise"),
        *("kernel_size_7", "gelu", "fewer_activations", "fewer_norms", "layer_norm", "strided_downsampling"),
    ]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["layer_nrom"], "unknown step 'layer_nrom'; did you mean 'layer_norm'?"),
        (["kernel_size=7"], "did you mean 'kernel_size_7'?"),
        (["original_recipe"], "unknown step 'original_recipe'"),
        (["depthwise+"], "unknown step ''"),
        (["widen+depthwise"], "do not follow each other on the ladder. Possible: depthwise\\+widen$"),
        (["depthwise+inverted_bottleneck"], "Possible: depthwise\\+widen\\+inverted_bottleneck$"),
        (["kernel_size_5+kernel_size_7"], "Possible: one of kernel_size_5, kernel_size_7$"),
        (["gelu+gelu"], "Possible: gelu$"),
        (["gelu", "gelu"], "step 'gelu' is given twice"),
    ],
)
def test_other_names_are_refused(names, message):
    with pytest.raises(AblationError, match=message):
        grid_steps(names)


def test_cells_take_every_combination_and_scale_the_schedule():
    cells = grid_cells("small64", FREE, (1000, None), (32, 64), (15, 45))
    assert [tuple(cell.axes.values()) for cell in cells] == [
        *((1000, 32, 15), (1000, 32, 45), (1000, 64, 15), (1000, 64, 45)),
        *(("all", 32, 15), ("all", 32, 45), ("all", 64, 15), ("all", 64, 45)),
    ]
    first, last = cells[0], cells[-1]
    assert (first.data, last.data) == ("imagenette#1000", "imagenette")
    assert (first.recipes.modern.warmup_epochs, last.recipes.modern.warmup_epochs) == (1, 3)  # 6 of 90 in proportion
    assert (first.recipes.original.decay_epochs, last.recipes.original.decay_epochs) == (5, 15)  # 30 of 90
    assert {(cell.recipes.modern.size, cell.recipes.original.size) for cell in cells} == {(32, 32), (64, 64)}
    assert {(cell.recipes.width_divisor, cell.recipes.stem_stride) for cell in cells} == {(2, 2)}


def test_an_axis_without_values_has_that_of_the_data_and_the_recipe():
    (cell,) = grid_cells("micro", "digits#320")
    assert (cell.data, cell.axes) == ("digits#320", {"images": 320, "size": 8, "epochs": 9})
    assert cell.recipes == FAMILIES["micro"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("micro", "digits", (), (32,)), "--sizes: the images of digits have a fixed size of 8 px"),
        (("micro", "digits#320", (100,)), "digits#320 has a number of training images already"),
        (("micro", "timm:hfds/timm/imagenet-1k-wds", (100,)), "read by timm, which selects no part of it"),
        (
            ("small64", FREE, (), (8,)),
            "--sizes: shift_px 8 of recipe 'small64-original' must be less than its size of 8",
        ),
        (("micro", "digits", (), (), (0,)), "--epochs: epochs 0 must be 1 or more"),
    ],
)
def test_cells_that_the_data_cannot_have_are_refused(arguments, message):
    with pytest.raises(AblationError, match=message):
        grid_cells(*arguments)


def test_the_first_seed_of_the_whole_grid_comes_first_and_shared_rows_are_trained_once():
    steps, cells = grid_steps(["layer_norm", "fewer_norms"]), grid_cells("micro", "digits", (100, 1000), (), (1, 3))
    trials = grid_trials(steps, cells, range(3))
    assert [trial.seed for trial in trials] == [0] * 12 + [1] * 12 + [2] * 12  # 3 rows in 4 cells
    assert len({(trial.data, trial.recipe.epochs, trial.architecture) for trial in trials}) == 12
    rungs = [rung.name for rung in grid_rungs(steps, cells[0].recipes)]
    assert rungs == ["fewer_activations", "fewer_norms", "layer_norm"]
    for trial, (rung, cell) in trials.items():
        assert (trial.architecture, trial.data, trial.recipe) == (rung.architecture, cell.data, cell.recipes.modern)


def test_a_cell_with_the_recipe_as_it_is_shares_its_trials_with_the_ladder():
    steps, cells = grid_steps(["enhanced_recipe", "gelu"]), grid_cells("micro", "digits", (None,), (), (9,))
    assert set(grid_trials(steps, cells, range(2))) <= set(ladder_trials("micro", "digits", range(2)))


def test_grids_that_are_too_large_or_have_too_small_images_are_refused():
    cells = grid_cells("micro", "digits", range(10, 220, 10))
    assert len(grid_steps()) * len(cells) == 252 > MAX_CONTRASTS
    with pytest.raises(AblationError, match="12 steps in 21 cells are 252 contrasts; the most is 240"):
        grid_trials(grid_steps(), cells, range(3))
    with pytest.raises(
        AblationError, match=r"trials 336000 must be 100,000 or less: 336 networks with 1,000 seeds each"
    ):
        grid_trials(grid_steps(["gelu", "layer_norm", "widen", "depthwise"]), cells[:-1] * 2 + cells[:8], range(1000))
    with pytest.raises(AblationError, match=r"separate downsampling at 16 px: .*smallest that works"):
        grid_trials(grid_steps(["strided_downsampling"]), grid_cells("paper", FREE, (), (224, 16)), range(1))
