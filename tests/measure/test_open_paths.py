"""The theoretical field through every kind of maximum, rectifier and gate, and the offset and stride of positions."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ablation import AblationError, theoretical_receptive_field
from tests.measure.networks import Applies


def first(layer):
    return Applies(lambda x: layer(x)[0])


def pooled(pool, channels=1):
    return nn.Sequential(nn.Conv2d(3, channels, 3), pool)


@pytest.mark.parametrize("channels", [1, 4])
@pytest.mark.parametrize(
    ("pool", "field"),
    [
        (nn.MaxPool2d(9, 1, dilation=2), 19),
        (first(nn.MaxPool2d(4, return_indices=True)), 6),
        (nn.MaxPool2d(5, 2, dilation=3, ceil_mode=True), 15),
        (nn.MaxPool2d((3, 3), (2, 2), (1, 1), (1, 1), ceil_mode=True), 5),
        (Applies(lambda x: x.unfold(2, 4, 4).amax(-1).unfold(3, 4, 4).max(-1).values), 6),
        (Applies(lambda x: F.adaptive_max_pool2d(x, (x.shape[2] // 2, x.shape[3] // 2))), 4),
        (Applies(lambda x: torch.maximum(x[:, :, 1:], x[:, :, :-1])[:, :, :, 1:] + x[:, :, :-1, :-1]), 4),
        (Applies(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2)), 4),
    ],
    ids=["dilated", "indices", "dilated, ceil", "tuples", "amax and max", "adaptive", "maximum", "unpool"],
)
def test_every_position_of_a_maximum_counts(pool, field, channels):
    measured = theoretical_receptive_field(pooled(pool, channels))
    assert (measured.height, measured.width) == (field, field)


GATES = {
    "relu": F.relu,
    "clamp": lambda x: x.clamp(min=0),
    "clip in place": lambda x: x.clip_(0, 6),
    "threshold": lambda x: F.threshold(x, 0.5, 0),
    "product with a mask": lambda x: x * (x > 0),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "masked fill": lambda x: x.masked_fill(x < 0, 0.0),
    "maximum": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "hardshrink": lambda x: F.hardshrink(x, 0.4),
}


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_a_gate_closes_no_path_in_a_single_channel(gate):
    layers = [layer for i in range(4) for layer in (nn.Conv2d(3 if i == 0 else 1, 1, 3), Applies(gate))]
    field = theoretical_receptive_field(nn.Sequential(*layers))
    assert (field.height, field.width) == (9, 9)


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
def test_a_gate_shortens_no_field(gate):
    # A single path leads to each end of a column of kernels of 3 x 1: random weights close some of them.
    layers = [layer for i in range(7) for layer in (nn.Conv2d(3, 3, (3, 1)), Applies(gate))]
    field = theoretical_receptive_field(nn.Sequential(*layers))
    assert (field.height, field.width) == (15, 1)


def test_a_mask_that_cuts_every_path_is_not_opened():
    network = nn.Sequential(nn.Conv2d(3, 2, 3), Applies(lambda x: x * (torch.arange(2).view(-1, 1, 1) > 5)))
    with pytest.raises(AblationError, match="does not depend on the image"):
        theoretical_receptive_field(network)


@pytest.mark.parametrize(
    ("layers", "offset", "stride"),
    [
        ([nn.Conv2d(3, 4, 7)], 0, 1),
        ([nn.Conv2d(3, 4, 7, padding=3)], -3, 1),
        ([nn.Conv2d(3, 4, 7, stride=4, padding=3)], -3, 4),
        ([nn.Conv2d(3, 4, 7, stride=4, padding=2)], -2, 4),
        ([nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)], 0, 1),
        ([nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, 2), nn.Conv2d(4, 4, 5, stride=3)], 0, 6),
        ([nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, padding=1)], -3, 2),
        ([nn.Conv2d(3, 4, 4, stride=4), nn.Upsample(scale_factor=2)], 0, 2),
        ([nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=2)], 0, 0.5),
    ],
    ids=lambda value: "-".join(type(x).__name__ for x in value) if isinstance(value, list) else str(value),
)
def test_offset_and_stride_of_positions(layers, offset, stride):
    field = theoretical_receptive_field(nn.Sequential(*layers))
    assert (field.offset, field.stride) == ((offset, offset), (stride, stride))
