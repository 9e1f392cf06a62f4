"""Two layers on the same maps: both equally local, only the convolution static."""

import pytest
import timm
import torch

from ablation import AblationError, photographs
from ablation.measure.jacobian import jacobian_change
from ablation.measure.mixers import WINDOW, mixers


@pytest.fixture(scope="module")
def pair():
    return mixers(photographs(96)[:2])


def test_both_layers_take_the_same_maps_and_keep_their_size(pair):
    assert pair.maps.shape == (2, 3 * WINDOW, 3 * WINDOW, 96)
    assert pair.maps.mean(3).abs().max() < 1e-4, "normalised, as in the first block"
    for layer, maps, layout in pair.layers.values():
        assert layer(maps).shape == maps.shape
        assert torch.equal(maps if layout == "NHWC" else maps.permute(0, 2, 3, 1), pair.maps)


def test_only_attention_depends_on_the_image_and_more_with_larger_matrices(pair):
    (convolution, attention), (_, blunt) = (
        [jacobian_change(*layer) for layer in layers.layers.values()]
        for layers in (pair, mixers(photographs(96)[:2], sharp=False))
    )
    assert convolution.mean < 1e-5 and (convolution.maps[0] > 0).sum() == (attention.maps[0] > 0).sum() == WINDOW**2
    assert attention.mean > 0.2 > blunt.mean > 1e-3


def test_windows_match_the_grid_of_swin(pair):
    """With three windows per side, the middle one holds positions 7 to 13."""
    layer, maps, layout = list(pair.layers.values())[1]
    for position in ((7, 13), (10, 8)):
        support = jacobian_change(layer, maps, layout, position=position).maps[0] > 0
        assert support[7:14, 7:14].all() and support.sum() == WINDOW**2


def test_maps_start_at_a_window_boundary_of_the_whole_image():
    pixels = photographs(168)[:1]  # 42 positions: the three middle windows start at position 14, pixel 56
    torch.testing.assert_close(mixers(pixels).maps, mixers(pixels[..., 56:140, 56:140]).maps)


def test_layers_are_reproducible_and_the_random_state_is_not_changed():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    one, other, third = (mixers(photographs(32)[:1], seed=seed) for seed in (0, 0, 1))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one.convolution.weight, other.convolution.weight)
    assert not torch.equal(one.convolution.weight, third.convolution.weight)
    assert torch.equal(one.attention(one.maps[:, :7, :7]), other.attention(other.maps[:, :7, :7]))


def test_images_smaller_than_a_window_are_refused():
    with pytest.raises(AblationError, match="20 x 20 are smaller than a window; the minimum is 28 x 28 pixels"):
        mixers(photographs(20))


def test_pretrained_attention_has_the_weights_of_the_file_as_they_are(monkeypatch, tmp_path):
    """The weights that timm would download, here a file that its configuration names."""
    name, file = "swin_tiny_patch4_window7_224", tmp_path / "swin.pt"
    torch.manual_seed(5)
    published = timm.create_model(name)
    torch.save(published.state_dict(), file)
    create = timm.create_model
    monkeypatch.setattr(
        timm,
        "create_model",
        lambda name, pretrained, **settings: create(
            name, pretrained, pretrained_cfg_overlay={"file": str(file)} if pretrained else None, **settings
        ),
    )
    found = mixers(photographs(224)[:1], pretrained=True)
    expected = published.layers[0].blocks[0].attn
    assert torch.equal(found.attention.block.attn.qkv.weight, expected.qkv.weight)
    assert torch.equal(found.attention.block.attn.proj.weight, expected.proj.weight)
    assert not torch.equal(mixers(photographs(224)[:1]).attention.block.attn.qkv.weight, expected.qkv.weight)
