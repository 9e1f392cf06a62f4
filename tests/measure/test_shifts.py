"""With circular padding, shifts by a multiple of the total stride do not change the output; other shifts do."""

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
def test_only_shifts_by_the_total_stride_leave_the_output_unchanged(stem, downsampling):
    network = ab.build(SMALL.replace(stem=stem, downsampling=downsampling), num_classes=0)
    zero, sixteen, thirty_two = shift_error(wrapped(network), IMAGES, [0, 16, 32])
    assert (zero == 0).all() and thirty_two.max() < 1e-4 < sixteen.min()


def test_zero_padding_makes_the_output_depend_on_the_shift():
    network = ab.build(SMALL, num_classes=0)
    assert shift_error(network, IMAGES, [32]).min() > 1e-4


def test_wrapping_returns_a_copy_and_supports_a_single_pool():
    network = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.MaxPool2d(3, 1, 1))
    copy = wrapped(network)
    assert network[0].padding_mode == "zeros" and isinstance(network[1], nn.MaxPool2d)
    x = torch.randn(1, 1, 5, 5)
    for module in (copy, wrapped(nn.MaxPool2d(3, 1, 1))):
        torch.testing.assert_close(module(x.roll(2, -1)), module(x).roll(2, -1))


def test_error_is_relative_to_the_distance_between_images():
    class FirstColumn(nn.Module):
        def forward(self, x):
            return x[:, 0, :, 0]

    images = torch.zeros(2, 1, 1, 2)
    images[0, ..., 0], images[1, ..., 1] = 3.0, 3.0  # a shift by one turns each image into the other
    assert shift_error(FirstColumn(), images, [1, 2]).tolist() == [[1, 1], [0, 0]]


def test_invalid_modules_and_images_are_refused():
    with pytest.raises(AblationError, match="two or more"):
        shift_error(nn.Flatten(), IMAGES[:1], [1])
    with pytest.raises(AblationError, match="one vector per image"):
        shift_error(nn.Identity(), IMAGES, [1])
    with pytest.raises(AblationError, match="only zero padding"):
        wrapped(nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"))
    with pytest.raises(AblationError, match="only zero padding"):
        wrapped(nn.Conv2d(1, 1, 3, padding="same"))
