"""The long-range data set: single marks carry no information, additive scores reach 75 %, large kernels solve it."""

import hashlib
from itertools import product

import numpy as np
import pytest
import torch

from ablation import AblationError, Trial, build, cost, run
from ablation.data.longrange import (
    ADDITIVE_BOUND,
    DISTANCE,
    MARK,
    RECIPE,
    SIZE,
    covers_both,
    distance_of,
    load_longrange,
    longrange_info,
    network,
    quadruples,
)
from ablation.data.named import load

SEEDS = range(3)


def test_the_bytes_are_fixed():
    images, labels = quadruples()
    assert images.dtype == np.uint8 and images.shape == (1280, 4, SIZE, SIZE)
    assert hashlib.sha256(images.tobytes()).hexdigest()[:16] == "568ac9a9fa512bfc"
    data = load_longrange()
    assert data.checksum == "ed1e5e8c50768634" and load_longrange(8).checksum != data.checksum
    assert data.train_images.shape == (4096, 1, SIZE, SIZE) and data.test_images.shape == (1024, 1, SIZE, SIZE)
    assert torch.equal(data.test_labels, torch.from_numpy(labels[1024:].reshape(-1)))
    normalised = torch.cat([images for images, _ in data.train_batches(RECIPE, 0, 0, 0, 1)])
    assert normalised.mean().abs() < 1e-4 and abs(normalised.std() - 1) < 1e-4


@pytest.mark.parametrize("distance", [MARK, 8, DISTANCE, SIZE - MARK])
def test_images_differ_only_in_the_marks_and_the_marks_are_at_the_given_distance(distance):
    images, labels = quadruples(distance)
    assert labels[0].tolist() == [1, 0, 0, 1], "plus-plus, plus-cross, cross-plus, cross-cross"
    brightness = images.sum((2, 3), dtype=np.int64)
    assert (brightness == brightness[:, :1]).all(), "the sum over an image carries no information"
    left, right = (
        images[:, 0] != images[:, 2],
        images[:, 0] != images[:, 1],
    )  # (Q, SIZE, SIZE), True where one mark changed
    assert (left.sum((1, 2)) == 8).all() and (right.sum((1, 2)) == 8).all(), "all 3 x 3 pixels except the centre"
    assert np.array_equal(left[:, :, : SIZE - distance], right[:, :, distance:]), "same position, shifted right"
    columns, rows = left.any(1).argmax(1), left.any(2).argmax(1)
    assert set(columns) == set(range(SIZE - MARK - distance + 1)) and set(rows) == set(range(SIZE - MARK + 1))


def test_additive_scores_classify_at_most_three_of_four_correctly():
    """Brute force over weights: each prediction is the sign of a term for the left mark plus a term for the right mark."""
    weights = np.linspace(-2, 2, 17)
    left_0, left_1, right_0, right_1 = np.array(list(product(weights, repeat=4))).T
    predicts_same = np.stack([left_0 + right_0, left_0 + right_1, left_1 + right_0, left_1 + right_1]) > 0
    correct = predicts_same == np.array([1, 0, 0, 1], dtype=bool)[:, None]
    assert 100 * correct.mean(0).max() == ADDITIVE_BOUND
    assert len(np.unique(predicts_same, axis=1).T) == 14, "all 16 combinations except the correct one and its negation"


def interaction(kernel_size, distance, seed):
    """Return how far the scores of a network with random weights are from additive, relative to their standard deviation."""
    torch.manual_seed(seed)
    net = build(network(kernel_size), num_classes=2, in_chans=1).double().eval()
    for parameter in net.parameters():
        if parameter.ndim > 1:  # with the default small weights the marks would have almost no effect
            torch.nn.init.kaiming_normal_(parameter)
    images = torch.from_numpy(quadruples(distance)[0][:16]).double().flatten(0, 1)[:, None] / 255
    with torch.inference_mode():
        scores = net(images).diff(dim=1).view(16, 4)
    return ((scores[:, 0] + scores[:, 3] - scores[:, 1] - scores[:, 2]).abs().max() / scores.std()).item()


def test_the_scores_of_a_network_with_a_small_receptive_field_are_additive():
    small, large = (cost(network(k), SIZE, 2, 1).receptive_field for k in (3, 7))
    assert (small, large) == (19, 51) and not covers_both(small) and covers_both(large)
    assert covers_both(small, small + 1) and not covers_both(small, small + 2), (
        "the largest distance at which one window contains pixels of both marks"
    )
    for seed in SEEDS:
        assert interaction(3, DISTANCE, seed) < 1e-12 < 1e-3 < interaction(7, DISTANCE, seed)
        assert interaction(3, 8, seed) > 1e-3


def test_names_and_distances():
    assert (distance_of("longrange"), distance_of("longrange:8")) == (DISTANCE, 8)
    assert longrange_info().name == "longrange" and longrange_info(8).name == "longrange:8"
    assert "75 %" in longrange_info().note
    for bad in ("longrange:far", "longrange:", "longrange8x"):
        with pytest.raises(AblationError, match="longrange:22"):
            distance_of(bad)
    for bad in (MARK - 1, SIZE - MARK + 1, 8.0, True):
        with pytest.raises(AblationError, match="from 3 to 29"):
            load_longrange(bad)


def test_a_large_receptive_field_is_needed_and_sufficient(tmp_path):
    """7 x 7 kernels on distant marks, 3 x 3 kernels on near ones; 3 x 3 on distant ones, where no weights do better."""

    def accuracy(kernel_size, data, epochs):
        recipe = RECIPE.replace(epochs=epochs, warmup_epochs=min(RECIPE.warmup_epochs, epochs - 1))
        return run(Trial(network(kernel_size), recipe, data, 0), tmp_path).accuracy

    assert load("longrange:8").info == longrange_info(8)
    assert accuracy(3, "longrange", 1) <= ADDITIVE_BOUND
    assert accuracy(7, "longrange", 4) > 95
    assert accuracy(3, "longrange:8", 4) > 90
