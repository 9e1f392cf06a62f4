"""Bytes and MACs of a layer, and the memory bandwidth of the machine."""

import pytest
import torch
from torch import nn

from ablation.errors import AblationError
from ablation.measure.work import memory_rate, work


@pytest.mark.parametrize(("k", "groups", "stride"), [(1, 1, 1), (3, 1, 1), (3, 12, 1), (7, 12, 2)])
def test_bytes_and_macs_of_a_convolution_computed_by_hand(k, groups, stride):
    layer = nn.Conv2d(12, 24, k, stride, padding=k // 2, groups=groups)
    result = work(layer, size=10, batch=3, in_chans=12)
    out = -(-10 // stride)
    weights = 24 * (12 // groups) * k * k
    assert result.macs == 3 * weights * out * out
    assert result.bytes == 4 * (3 * 12 * 100 + weights + 24 + 3 * 24 * out * out)
    assert result.intensity == result.macs / result.bytes


def test_half_precision_moves_half_the_bytes():
    single, half = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1).to(torch.bfloat16)
    assert work(single, 6, in_chans=4).bytes == 2 * work(half, 6, in_chans=4).bytes


def test_batch_of_zero_is_refused():
    with pytest.raises(AblationError, match="batch 0"):
        work(nn.Conv2d(3, 3, 1), 4, batch=0)


def test_memory_rate_is_plausible_and_cached():
    rate = memory_rate("cpu", 1)
    assert 1e8 < rate < 1e13 and memory_rate("cpu", 1) == rate
