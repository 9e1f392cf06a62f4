"""Activation statistics: shares computed by hand, the order of the calls, and no side effects."""

import pytest
import torch
from torch import nn

from ablation.errors import AblationError
from ablation.measure.activations import activation_statistics
from tests.untouched import untouched


def network(activation=nn.ReLU):
    """Return a network of two channels: the input minus 0.5 and, always closed, minus 100; then the activation."""
    conv = nn.Conv2d(1, 2, 1)
    nn.init.ones_(conv.weight)
    with torch.no_grad():
        conv.bias.copy_(torch.tensor([-0.5, -100.0]))
    return nn.Sequential(conv, activation())


IMAGES = torch.linspace(0.05, 0.95, 10)[:, None, None, None]  # half of them below 0.5


def test_relu_shares_match_manual_values():
    (row,) = activation_statistics(network(), IMAGES)
    assert (row.name, row.kind) == ("1", "ReLU")
    assert (row.negative, row.closed, row.dead) == pytest.approx((0.75, 0.75, 0.5))


def test_gelu_is_open_for_small_negative_inputs_and_closed_for_large_ones():
    (row,) = activation_statistics(network(nn.GELU), IMAGES)
    assert (row.negative, row.closed, row.dead) == pytest.approx((0.75, 0.5, 0.5))


def test_a_channel_open_for_one_image_is_not_dead():
    (row,) = activation_statistics(network(), torch.cat([torch.zeros(9, 1, 1, 1), torch.full((1, 1, 1, 1), 200.0)]))
    assert row.closed == pytest.approx(0.9) and row.dead == 0


def test_each_call_gives_one_entry_in_forward_order():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.second, self.first = nn.GELU(), nn.ReLU()

        def forward(self, x):
            return self.first(self.second(self.first(x)))

    assert [row.name for row in activation_statistics(Twice(), IMAGES)] == ["first", "second", "first"]


def test_in_place_activation_is_measured_on_its_original_input():
    (row,) = activation_statistics(network(lambda: nn.ReLU(inplace=True)), IMAGES)
    assert row.negative == pytest.approx(0.75)


def test_module_and_images_are_unchanged():
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU(inplace=True)).train()
    images = IMAGES.clone()
    with untouched(module):
        activation_statistics(module, images)
    assert torch.equal(images, IMAGES)


def test_network_without_activations_is_refused():
    with pytest.raises(AblationError, match="no activation layer"):
        activation_statistics(nn.Conv2d(1, 2, 1), IMAGES)
