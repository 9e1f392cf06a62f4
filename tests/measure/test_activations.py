"""What activations let through: shares by hand, the order of calls, and nothing changed by looking."""

import pytest
import torch
from torch import nn

from ablation.errors import AblationError
from ablation.measure.activations import activation_statistics
from tests.untouched import untouched


def network(activation=nn.ReLU):
    """Two channels: the input less 0.5, and the input less 100, which no activation here lets through."""
    conv = nn.Conv2d(1, 2, 1)
    nn.init.ones_(conv.weight)
    with torch.no_grad():
        conv.bias.copy_(torch.tensor([-0.5, -100.0]))
    return nn.Sequential(conv, activation())


IMAGES = torch.linspace(0.05, 0.95, 10)[:, None, None, None]  # half of them below 0.5


def test_shares_of_a_relu_are_those_by_hand():
    (row,) = activation_statistics(network(), IMAGES)
    assert (row.name, row.kind) == ("1", "ReLU")
    assert (row.negative, row.closed, row.dead) == pytest.approx((0.75, 0.75, 0.5))


def test_small_negative_inputs_are_open_in_gelu_and_large_ones_are_not():
    (row,) = activation_statistics(network(nn.GELU), IMAGES)
    assert (row.negative, row.closed, row.dead) == pytest.approx((0.75, 0.5, 0.5))


def test_a_channel_that_one_image_opens_is_not_dead():
    (row,) = activation_statistics(network(), torch.cat([torch.zeros(9, 1, 1, 1), torch.full((1, 1, 1, 1), 200.0)]))
    assert row.closed == pytest.approx(0.9) and row.dead == 0


def test_every_call_is_an_entry_in_the_order_of_the_forward_pass():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.second, self.first = nn.GELU(), nn.ReLU()

        def forward(self, x):
            return self.first(self.second(self.first(x)))

    assert [row.name for row in activation_statistics(Twice(), IMAGES)] == ["first", "second", "first"]


def test_an_activation_in_place_is_seen_as_it_was():
    (row,) = activation_statistics(network(lambda: nn.ReLU(inplace=True)), IMAGES)
    assert row.negative == pytest.approx(0.75)


def test_looking_changes_nothing():
    module = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.ReLU(inplace=True)).train()
    images = IMAGES.clone()
    with untouched(module):
        activation_statistics(module, images)
    assert torch.equal(images, IMAGES)


def test_a_network_without_activations_is_told_so():
    with pytest.raises(AblationError, match="no activation layer"):
        activation_statistics(nn.Conv2d(1, 2, 1), IMAGES)
