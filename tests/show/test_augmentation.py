"""Pictures of augmented images and of skipped branches show the images under their names, and each skip where it happened."""

import numpy as np

from ablation.show.augmentation import plot_augmented, plot_skipped
from ablation.show.style import BLUE, new_figure


def test_each_image_stands_under_its_name_four_in_a_row():
    images = {f"step {i}": np.full((6, 6, 3), i / 10) for i in range(6)}
    figure = plot_augmented(images)
    shown = {axes.get_title(): np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images}
    assert list(shown) == list(images) and all(np.array_equal(shown[name], images[name]) for name in images)
    assert len(figure.axes) == 8 and not figure.axes[-1].axison, "two rows of four, the rest empty"


def test_a_skip_is_coloured_in_the_row_of_its_image_and_the_column_of_its_block():
    skipped = np.zeros((5, 7), dtype=bool)
    skipped[3, 1] = True
    axes = plot_skipped(skipped, new_figure(4, 2).subplots())
    (mesh,) = axes.collections
    colours = mesh.to_rgba(mesh.get_array()).reshape(5, 7, 4)[..., :3]
    assert np.argwhere(np.isclose(colours, BLUE).all(-1)).tolist() == [[3, 1]]
    assert axes.yaxis_inverted() and axes.get_xlabel() == "block"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "4", "7"]
