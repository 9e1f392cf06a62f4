"""On a torus a network changes with a shift between its strides, and not at all at a multiple of them."""

import pytest
import torch
from torch import nn

import ablation as ab
from ablation.errors import AblationError
from ablation.measure.shifts import shift_error, wrapped

SMALL = ab.roadmap(width_divisor=8)[-1].architecture.replace(depths=(1, 1, 1, 1))
IMAGES = torch.randn(3, 3, 96, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("stem", ["conv", "patchify"])
@pytest.mark.parametrize("downsampling", ["block", "separate", "pool"])
def test_a_shift_by_all_strides_changes_nothing_and_one_by_less_does(stem, downsampling):
    network = ab.build(SMALL.replace(stem=stem, downsampling=downsampling), num_classes=0)
    zero, sixteen, thirty_two = shift_error(wrapped(network), IMAGES, [0, 16, 32])
    assert (zero == 0).all() and thirty_two.max() < 1e-4 < sixteen.min()


def test_without_wrapping_the_edge_tells():
    network = ab.build(SMALL, num_classes=0)
    assert shift_error(network, IMAGES, [32]).min() > 1e-4


def test_the_network_is_left_as_it_was_and_a_lone_pool_is_wrapped_too():
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(3, 1, 1))
    other = wrapped(network)
    assert network[0].padding_mode == "zeros" and isinstance(network[1], nn.MaxPool2d)
    x = torch.randn(1, 1, 5, 5)
    for module in (other, wrapped(nn.MaxPool2d(3, 1, 1))):
        torch.testing.assert_close(module(x.roll(2, -1)), module(x).roll(2, -1))


def test_one_is_as_far_as_another_image():
    class Sums(nn.Module):
        def forward(self, x):
            return x[:, 0, :, 0]

    images = torch.zeros(2, 1, 1, 2)
    images[0, ..., 0], images[1, ..., 1] = 3.0, 3.0  # shifted by one, each is the other
    assert shift_error(Sums(), images, [1, 2]).tolist() == [[1, 1], [0, 0]]


def test_what_cannot_be_compared_or_wrapped_is_refused():
    with pytest.raises(AblationError, match="two or more"):
        shift_error(nn.Flatten(), IMAGES[:1], [1])
    with pytest.raises(AblationError, match="vector"):
        shift_error(nn.Identity(), IMAGES, [1])
    with pytest.raises(AblationError, match="only zeros"):
        wrapped(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    with pytest.raises(AblationError, match="only zeros"):
        wrapped(nn.Conv2d(1, 1, 3, padding="same"))
