"""Static and dynamic weights: zero change for a convolution, large change for attention, and the maps of weights."""

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
    """Module that applies a function, with the submodules that the function uses."""

    def __init__(self, function, *parts):
        super().__init__()
        self.function, self.parts = function, nn.ModuleList(parts)

    def forward(self, x):
        return self.function(x)


def window_attention(shifted):
    """Return window attention of timm's Swin with larger random weights: at the initial 0.02, attention is near uniform."""
    swin = timm.create_model(
        "swin_tiny_patch4_window7_224", img_size=56, embed_dim=16, depths=(2, 2, 2, 2), num_heads=(2, 2, 2, 2)
    )
    block = randomise(swin.layers[0].blocks[int(shifted)]).eval()
    return Applies(block._attn, block)


@pytest.mark.parametrize("images", [2, 3, 7])
def test_jacobian_of_a_depthwise_convolution_is_constant(images):
    block = nn.Sequential(nn.Conv2d(8, 8, 7, padding=3, groups=8), nn.Conv2d(8, 8, 1))
    found = jacobian_change(block, torch.randn(images, 8, 14, 14))
    assert found.change.shape == (images,) and (found.change == 0).all() and found.mean == 0


@pytest.mark.parametrize("shifted", [False, True])
def test_jacobian_of_window_attention_changes_between_inputs(shifted):
    found = jacobian_change(window_attention(shifted), 3 * torch.randn(4, 14, 14, 16), layout="NHWC")
    assert (found.change > 0.1).all()
    assert found.maps.shape == (4, 14, 14)


def test_window_attention_depends_on_its_seven_by_seven_window():
    found = jacobian_change(window_attention(shifted=False), torch.randn(2, 14, 14, 16), layout="NHWC")
    expected = np.zeros((14, 14), dtype=bool)
    expected[7:, 7:] = True  # the centre, (7, 7), is the first position of the last window
    assert all(np.array_equal(weights > 0, expected) for weights in found.maps)


def test_the_map_of_a_convolution_shows_its_kernel():
    conv = nn.Conv2d(4, 4, 7, padding=3, groups=4)
    found = jacobian_change(conv, torch.randn(3, 4, 15, 15))
    expected = np.zeros((15, 15))
    expected[4:11, 4:11] = conv.weight.detach()[:, 0].square().sum(0).sqrt()
    for weights in found.maps:
        np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_position_can_be_chosen():
    found = jacobian_change(nn.Conv2d(2, 2, 3, padding=1, groups=2), torch.randn(2, 2, 9, 9), position=(0, 8))
    reached = found.maps[0] > 0
    assert reached[:2, 7:].all() and reached.sum() == 4


def test_change_matches_a_manual_computation():
    x = torch.randn(3, 2, 5, 5)
    weight = 2 * x[:, :, 2, 2].double()  # d x^2 / dx at the centre, per channel
    mean = weight.mean(0)
    expected = (weight - mean).norm(dim=1) / mean.norm()
    found = jacobian_change(Applies(torch.square), x)
    np.testing.assert_allclose(found.change, expected, rtol=1e-5)
    np.testing.assert_allclose(found.maps[:, 2, 2], weight.norm(dim=1), rtol=1e-6)
    assert found.mean == pytest.approx(float(expected.mean()))


def test_both_layouts_give_the_same_result():
    conv = nn.Conv2d(3, 5, 3, padding=1)
    nhwc = Applies(lambda x: conv(x.permute(0, 3, 1, 2)).relu().permute(0, 2, 3, 1), conv)
    x = torch.randn(4, 3, 9, 11)
    channels_first = jacobian_change(nn.Sequential(conv, nn.ReLU()), x)
    channels_last = jacobian_change(nhwc, x.permute(0, 2, 3, 1), layout="NHWC")
    np.testing.assert_allclose(channels_last.change, channels_first.change, rtol=1e-6)
    np.testing.assert_allclose(channels_last.maps, channels_first.maps, rtol=1e-6)


def test_module_and_inputs_are_unchanged():
    block = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(inplace=True)).train()
    inputs = torch.randn(2, 3, 8, 8)
    original = inputs.clone()
    calls = []
    with untouched(block):
        jacobian_change(block, inputs, progress=lambda *done: calls.append(done))
    assert torch.equal(inputs, original)
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_a_block_that_starts_in_place_is_supported():
    inputs = torch.randn(2, 3, 8, 8)
    original = inputs.clone()
    found = jacobian_change(nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 3, 1)), inputs)
    assert torch.equal(inputs, original) and found.change.shape == (2,)


@pytest.mark.parametrize(
    ("module", "shape", "options", "message"),
    [
        (nn.Conv2d(3, 3, 1), (1, 3, 8, 8), {}, "two or more inputs"),
        (nn.Conv2d(3, 3, 3), (2, 3, 8, 8), {}, "8 x 8 into one of 6 x 6"),
        (nn.Conv2d(3, 3, 1), (2, 3, 8, 8), {"layout": "NCWH"}, "'NCWH' is not possible. Possible: NCHW, NHWC"),
        (nn.Conv2d(3, 3, 1), (2, 3, 8, 8), {"position": (8, 0)}, r"\(8, 0\) is outside the map of 8 x 8"),
        (nn.Conv2d(4, 4, 1), (2, 3, 8, 8), {}, "could not be run on images of 3 x 8 x 8"),
        (Applies(lambda x: (x, x)), (2, 3, 8, 8), {}, "tuple"),
        (Applies(torch.zeros_like), (2, 3, 8, 8), {}, "Applies"),
    ],
    ids=["one input", "smaller map", "layout", "position", "channels", "tuple", "constant"],
)
def test_bad_arguments_are_refused(module, shape, options, message):
    with pytest.raises(AblationError, match=message):
        jacobian_change(module, torch.randn(shape), **options)
