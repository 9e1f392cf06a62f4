"""Energy by frequency, checked against closed forms."""

import numpy as np
import pytest
import torch
from torch import nn

from ablation.measure.aliasing import folded_share, frequencies, passed_energy, stripes, zone_plate


def test_average_pooling_passes_the_square_of_a_cosine():
    expected = np.cos(np.pi * frequencies(32)) ** 2
    np.testing.assert_allclose(passed_energy(nn.AvgPool2d((1, 2), stride=(1, 2)), 3), expected, atol=1e-6)


def test_dropping_every_second_position_passes_everything_and_folds_half():
    energy = passed_energy(nn.MaxPool2d(1, stride=2), 2)
    np.testing.assert_allclose(energy, 1, atol=1e-5)
    assert folded_share(energy) == pytest.approx(0.5, abs=1e-5)


def test_blur_before_the_stride_reduces_folding_and_the_mode_is_restored():
    layer = nn.Conv2d(1, 1, (1, 4), stride=2, padding=(0, 1), padding_mode="circular", bias=False).train()
    nn.init.constant_(layer.weight, 0.25)
    assert folded_share(passed_energy(layer, 1)) < folded_share(passed_energy(nn.AvgPool2d(2), 1)) < 0.2
    assert layer.training


def test_folded_share_counts_only_frequencies_above_the_limit():
    energy = np.zeros(8)
    energy[3] = 1.0  # a quarter of a cycle, which half the resolution can represent
    assert folded_share(energy) == 0
    energy[4] = 3.0
    assert folded_share(energy) == 0.75


def test_stripes_and_zone_plate_have_the_stated_frequencies():
    assert stripes(0.5, 0, 4)[0, 0, 0].tolist() == pytest.approx([1, -1, 1, -1], abs=1e-5)
    torch.testing.assert_close(stripes(0.25, 1, 8), stripes(0.25, 0, 8).roll(1, -1), atol=1e-5, rtol=0)
    plate = zone_plate(64)
    assert plate.shape == (1, 1, 64, 64) and plate.abs().max() <= 1
    middle, edge = plate[0, 0, 31, 28:36], plate[0, 0, 31, -8:]
    assert middle.diff().abs().max() < 0.2 and edge.diff().abs().mean() > 0.9
