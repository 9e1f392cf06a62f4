"""Static against dynamic weights: exactly no change for a convolution, much for attention, and where the weights lie."""

import numpy as np
import pytest
import timm
import torch
from torch import nn

from ablation import AblationError
from ablation.measure.jacobian import jacobian_change
from tests.laws import randomise
from tests.untouched import untouched


class Applies(nn.Module):
    """A function as a module, around the parts that it uses."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x):
        return self.function(x)


def window_attention(shifted):
    """Window attention of timm's Swin with matrices drawn anew: at their initial 0.02 attention is almost uniform."""
    swin = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=56, embed_dim=16, depths=(2, 2, 2, 2), num_heads=(2, 2, 2, 2)
    )
    block = randomise(swin.layers[0].blocks[int(shifted)]).eval()
    return Applies(block._attn, block)


@pytest.mark.parametrize("images", [2, 3, 7])
def test_a_depthwise_convolution_does_not_change_at_all(images):
    block = nn.Sequential(nn.Conv2d(8, 8, 7, padding=3, groups=8), nn.Conv2d(8, 8, 1))
    found = jacobian_change(block, torch.randn(images, 8, 14, 14))
    assert found.change.shape == (images,) and (found.change == 0).all() and found.mean == 0


@pytest.mark.parametrize("shifted", [False, True])
def test_window_attention_changes_from_input_to_input(shifted):
    found = jacobian_change(window_attention(shifted), 3 * torch.randn(4, 14, 14, 16), layout="NHWC")
    assert (found.change > 0.1).all()
    assert found.maps.shape == (4, 14, 14)


def test_a_window_sees_its_seven_by_seven_positions():
    found = jacobian_change(window_attention(shifted=False), torch.randn(2, 14, 14, 16), layout="NHWC")
    expected = np.zeros((14, 14), dtype=bool)
    expected[7:, 7:] = True  # the middle position, 7 and 7, opens the last window
    assert all(np.array_equal(weighs > 0, expected) for weighs in found.maps)


def test_a_kernel_lies_where_its_weights_are():
    conv = nn.Conv2d(4, 4, 7, padding=3, groups=4)
    found = jacobian_change(conv, torch.randn(3, 4, 15, 15))
    expected = np.zeros((15, 15))
    expected[4:11, 4:11] = conv.weight.detach()[:, 0].square().sum(0).sqrt()
    for weighs in found.maps:
        np.testing.assert_allclose(weighs, expected, rtol=1e-6)


def test_another_position():
    found = jacobian_change(nn.Conv2d(2, 2, 3, padding=1, groups=2), torch.randn(2, 2, 9, 9), position=(0, 8))
    reached = found.maps[0] > 0
    assert reached[:2, 7:].all() and reached.sum() == 4


def test_the_change_by_hand():
    x = torch.randn(3, 2, 5, 5)
    weight = 2 * x[:, :, 2, 2].double()  # what d x^2 / dx is at the middle, one number a channel
    mean = weight.mean(0)
    expected = (weight - mean).norm(dim=1) / mean.norm()
    found = jacobian_change(Applies(torch.square), x)
    np.testing.assert_allclose(found.change, expected, rtol=1e-5)
    np.testing.assert_allclose(found.maps[:, 2, 2], weight.norm(dim=1), rtol=1e-6)
    assert found.mean == pytest.approx(float(expected.mean()))


def test_both_layouts_read_alike():
    conv = nn.Conv2d(3, 5, 3, padding=1)
    nhwc = Applies(lambda x: conv(x.permute(0, 3, 1, 2)).relu().permute(0, 2, 3, 1), conv)
    x = torch.randn(4, 3, 9, 11)
    one = jacobian_change(nn.Sequential(conv, nn.ReLU()), x)
    other = jacobian_change(nhwc, x.permute(0, 2, 3, 1), layout="NHWC")
    np.testing.assert_allclose(other.change, one.change, rtol=1e-6)
    np.testing.assert_allclose(other.maps, one.maps, rtol=1e-6)


def test_looking_changes_nothing():
    block = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True)).train()
    inputs = torch.randn(2, 3, 8, 8)
    kept = inputs.clone()
    seen = []
    with untouched(block):
        jacobian_change(block, inputs, progress=lambda *done: seen.append(done))
    assert torch.equal(inputs, kept)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_block_that_begins_in_place_is_looked_into_all_the_same():
    inputs = torch.randn(2, 3, 8, 8)
    kept = inputs.clone()
    found = jacobian_change(nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 3, 1)), inputs)
    assert torch.equal(inputs, kept) and found.change.shape == (2,)


@pytest.mark.parametrize(
    ("module", "shape", "options", "message"),
    [
        (nn.Conv2d(3, 3, 1), (1, 3, 8, 8), {}, "two inputs or more"),
        (nn.Conv2d(3, 3, 3), (2, 3, 8, 8), {}, "8 x 8 into one of 6 x 6"),
        (nn.Conv2d(3, 3, 1), (2, 3, 8, 8), {"layout": "NCWH"}, "'NCWH' is not possible. Possible: NCHW, NHWC"),
        (nn.Conv2d(3, 3, 1), (2, 3, 8, 8), {"position": (8, 0)}, r"\(8, 0\) lies outside the map of 8 x 8"),
        (nn.Conv2d(4, 4, 1), (2, 3, 8, 8), {}, "could not be run on images of 3 x 8 x 8"),
        (Applies(lambda x: (x, x)), (2, 3, 8, 8), {}, "tuple"),
        (Applies(torch.zeros_like), (2, 3, 8, 8), {}, "Applies"),
    ],
    ids=["one input", "smaller map", "layout", "position", "channels", "tuple", "constant"],
)
def test_bad_input(module, shape, options, message):
    with pytest.raises(AblationError, match=message):
        jacobian_change(module, torch.randn(shape), **options)
