"""The set in which reach decides: what one mark cannot tell, what a sum of two cannot, and what two kernels make of it."""

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
    about_longrange,
    covers_both,
    distance_of,
    load_longrange,
    network,
    quadruples,
)
from ablation.data.named import load
from ablation.evidence.intervals import mean_interval, paired_difference

SEEDS = range(3)


def test_the_bytes_are_pinned():
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
def test_the_marks_and_nothing_else_differ_and_stand_so_far_apart(distance):
    images, labels = quadruples(distance)
    assert labels[0].tolist() == [1, 0, 0, 1], "plus-plus, plus-cross, cross-plus, cross-cross"
    brightness = images.sum((2, 3), dtype=np.int64)
    assert (brightness == brightness[:, :1]).all(), "the sum over an image says nothing"
    left, right = images[:, 0] != images[:, 2], images[:, 0] != images[:, 1]  # (Q, SIZE, SIZE): where one mark changed
    assert (left.sum((1, 2)) == 8).all() and (right.sum((1, 2)) == 8).all(), "all but the centre of 3 x 3"
    assert np.array_equal(left[:, :, : SIZE - distance], right[:, :, distance:]), "the same place, so far to the right"
    columns, rows = left.any(1).argmax(1), left.any(2).argmax(1)
    assert set(columns) == set(range(SIZE - MARK - distance + 1)) and set(rows) == set(range(SIZE - MARK + 1))


def test_no_sum_of_two_has_more_than_three_of_four_right():
    """Brute force over weights: each answer is the sign of a term for the left mark and one for the right."""
    weights = np.linspace(-2, 2, 17)
    left_0, left_1, right_0, right_1 = np.array(list(product(weights, repeat=4))).T
    says_same = np.stack([left_0 + right_0, left_0 + right_1, left_1 + right_0, left_1 + right_1]) > 0
    right = says_same == np.array([1, 0, 0, 1], dtype=bool)[:, None]
    assert 100 * right.mean(0).max() == ADDITIVE_BOUND
    assert len(np.unique(says_same, axis=1).T) == 14, "of the 16 answers, all but 'same' and 'different'"


def interaction(kernel_size, distance, seed):
    """How far the scores of a network with random weights are from additive, relative to their size."""
    torch.manual_seed(seed)
    net = build(network(kernel_size), num_classes=2, in_chans=1).double().eval()
    for parameter in net.parameters():
        if parameter.ndim > 1:  # the network's own small ones would leave nothing of the marks
            torch.nn.init.kaiming_normal_(parameter)
    images = torch.from_numpy(quadruples(distance)[0][:16]).double().flatten(0, 1)[:, None] / 255
    with torch.inference_mode():
        scores = net(images).diff(dim=1).view(16, 4)
    return ((scores[:, 0] + scores[:, 3] - scores[:, 1] - scores[:, 2]).abs().max() / scores.std()).item()


def test_the_scores_of_a_network_without_the_reach_are_additive():
    small, large = (cost(network(k), SIZE, 2, 1).receptive_field for k in (3, 7))
    assert (small, large) == (19, 51) and not covers_both(small) and covers_both(large)
    assert covers_both(small, small + 1) and not covers_both(small, small + 2), (
        "the last distance at which one window has both"
    )
    for seed in SEEDS:
        assert interaction(3, DISTANCE, seed) < 1e-12 < 1e-3 < interaction(7, DISTANCE, seed)
        assert interaction(3, 8, seed) > 1e-3


def test_names_and_distances():
    assert (distance_of("longrange"), distance_of("longrange:8")) == (DISTANCE, 8)
    assert about_longrange().name == "longrange" and about_longrange(8).name == "longrange:8"
    assert "75 %" in about_longrange().note
    for bad in ("longrange:far", "longrange:", "longrange8x"):
        with pytest.raises(AblationError, match="longrange:22"):
            distance_of(bad)
    for bad in (MARK - 1, SIZE - MARK + 1, 8.0, True):
        with pytest.raises(AblationError, match="from 3 to 29"):
            load_longrange(bad)


def test_reach_decides(tmp_path):
    """Three seeds of each kernel on marks that only one can relate, and kernels of 3 on marks that they can."""
    recipe = RECIPE.replace(epochs=4)  # three are enough here; RECIPE has five

    def accuracies(kernel_size, data, seeds):
        trials = [Trial(network(kernel_size), recipe, data, seed) for seed in seeds]
        return {trial.seed: run(trial, tmp_path).accuracy for trial in trials}

    assert load("longrange:8").about == about_longrange(8)
    small, large = accuracies(3, "longrange", SEEDS), accuracies(7, "longrange", SEEDS)
    (near,) = accuracies(3, "longrange:8", SEEDS[:1]).values()
    gain = paired_difference(large, small)
    print(
        f"3: {mean_interval(list(small.values()))}, 7: {mean_interval(list(large.values()))}, 7 - 3: {gain}, near: {near}"
    )
    assert max(small.values()) <= ADDITIVE_BOUND, "holds whatever the weights"
    assert min(large.values()) > 95 and near > 90
    assert gain.mean - gain.half > 25, "the whole interval is beyond what the bound leaves"
