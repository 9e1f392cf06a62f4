"""Layouts that shapes alone would misread: each is declared, typed, measured, given, or refused."""

import warnings

import pytest
import timm
import torch
from torch import nn

from ablation import AblationError, attribute, effective_receptive_field, theoretical_receptive_field
from ablation.measure.attribution import grad_cam
from ablation.measure.declared import declared_tokens
from ablation.measure.features import find_map
from ablation.measure.layouts import UNKNOWN, Layout, layout_of
from ablation.measure.receptive_field import FieldWarning, open_branches
from tests.laws import randomise

CUBE = {"img_size": 128, "embed_dim": 32, "num_heads": (1, 2, 4, 8), "depths": (2, 1, 1, 1), "num_classes": 3}


def swin(**options):
    return timm.create_model("swin_tiny_patch4_window7_224", **{**CUBE, **options}).eval()


def hiera():
    return timm.create_model("hiera_tiny_224", embed_dim=24, num_heads=1, stages=(1, 2, 2, 1), num_classes=3).eval()


def test_a_map_with_as_many_channels_as_rows_has_the_layout_that_timm_declares():
    network = swin()  # (N, 32, 32, 32) after the first stage
    assert find_map(network, torch.rand(1, 3, 128, 128), "layers.0").layout == Layout("NHWC", 32, 32, 32)
    assert find_map(network, torch.rand(1, 3, 128, 128), "patch_embed.proj").layout == Layout("NCHW", 32, 32, 32)
    assert theoretical_receptive_field(network, layer="layers.0") == 4 * (7 + 7), (
        "two windows of 7 patches, one shifted"
    )


def test_prefix_tokens_are_those_that_timm_declares():
    network = timm.create_model(
        "vit_tiny_patch16_224", reg_tokens=13, global_pool="avg", depth=1, num_classes=3, img_size=224
    )
    cam = grad_cam(network, torch.rand(1, 3, 224, 224), 0)
    assert cam.shape == (1, 14, 14), "14 x 14 positions after 14 tokens, not 14 x 15 after none"


@pytest.mark.parametrize("layer", ["layers.0.blocks.0.attn", "layers.0.blocks.0.attn.qkv"])
def test_windows_folded_into_the_batch_are_not_a_map_of_the_image(layer):
    network, x = swin(), torch.rand(1, 3, 128, 128)
    for look in (
        lambda: grad_cam(network, x, 0, layer=layer),
        lambda: theoretical_receptive_field(network, layer=layer),
        lambda: effective_receptive_field(open_branches(network), x, layer=layer),
    ):
        with pytest.raises(AblationError, match="for a batch of 1: it folds windows or patches into the batch"):
            look()


@pytest.mark.parametrize("layer", ["unroll", "blocks.0", "blocks.1.norm1", "blocks.1", "blocks.5"])
def test_hieras_tokens_are_put_into_raster_order(layer):
    network = randomise(hiera()).eval()
    place = find_map(network, torch.rand(2, 3, 224, 224), layer)
    assert torch.equal(place.layout.to_map(place.layout.from_map(place.map, place.map.flatten(2).mT)), place.map)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FieldWarning)  # the last blocks see the whole image
        rows, columns = effective_receptive_field(network, torch.rand(1, 3, 224, 224), layer=layer).centroid
    middle = 224 / place.layout.height * (place.layout.height // 2 + 0.5)
    assert abs(rows - middle) < 20 and abs(columns - middle) < 20
    if layer == "blocks.0":
        expected = network.forward_intermediates(torch.ones(1, 3, 224, 224), coarse=False, intermediates_only=True)[0]
        torch.testing.assert_close(find_map(network, torch.ones(1, 3, 224, 224), layer).map, expected)
        assert theoretical_receptive_field(network, layer=layer) == 8 * 4 + 3, "a unit of 8 x 8 patches of stride 4"


class Cube(nn.Module):
    """A network of a library that declares nothing: its map is (N, 8, 8, 8) for 8 px, channels last or first."""

    def __init__(self, layout, fixed=False):
        super().__init__()
        self.inner, self.layout, self.fixed = nn.Conv2d(3, 8, 3, padding=1), layout, fixed
        self.block, self.head = nn.Identity(), nn.Linear(8, 2)

    def forward(self, x):
        if self.fixed and x.shape[-1] != 8:
            raise ValueError("images must be 8 px")
        x = self.inner(x)
        x = self.block(x.permute(0, 2, 3, 1) if self.layout == "NHWC" else x)
        return self.head(x.mean((1, 2) if self.layout == "NHWC" else (2, 3)))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_an_undeclared_layout_is_measured_with_larger_images(layout):
    network, x = Cube(layout), torch.rand(1, 3, 8, 8)
    assert layout_of(network.block(torch.rand(1, 8, 8, 8)), x, network, "block") is UNKNOWN
    assert find_map(network, x, "block").layout.kind == layout
    assert theoretical_receptive_field(network, layer="block") == 3


def test_a_layout_that_nothing_tells_is_asked_for():
    network, x = Cube("NHWC", fixed=True), torch.rand(1, 3, 8, 8)
    with pytest.raises(
        AblationError, match=r"shape \(1, 8, 8, 8\) for images of 8 x 8, which can be read in several ways"
    ):
        grad_cam(network, x, 0, layer="block")
    right, wrong = (find_map(network, x, "block", layout).map for layout in ("NHWC", "NCHW"))
    torch.testing.assert_close(right, network.inner(x))
    assert not torch.allclose(right, wrong)
    for given in (
        grad_cam(network, x, 0, layer="block", layout="NHWC")[0],
        attribute(network, x, 0, "grad_cam", layer="block", layout="NHWC")[0],
        torch.from_numpy(effective_receptive_field(network, x, layer="block", layout="NHWC").map),
    ):
        assert given.shape == (8, 8)
    assert theoretical_receptive_field(network, size=8, layer="block", layout="NHWC") == 3


@pytest.mark.parametrize(
    ("layout", "message"),
    [("NCWH", "layout 'NCWH' must be"), ("NHWC+1", "must be"), ("NLC", "cannot be read as 'NLC'")],
)
def test_a_wrong_layout_is_refused(layout, message):
    with pytest.raises(AblationError, match=message):
        find_map(Cube("NHWC"), torch.rand(1, 3, 8, 8), "block", layout)


class Tokens(nn.Module):
    """Tokens of 4 px patches, after as many learnt tokens as given, under a name that tells nothing."""

    def __init__(self, prefix, name="extra"):
        super().__init__()
        self.embed, self.block = nn.Conv2d(3, 6, 4, 4), nn.Identity()
        self.name = name
        setattr(self, name, nn.Parameter(torch.randn(1, prefix, 6)))

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        return self.block(torch.cat([getattr(self, self.name).expand(len(x), -1, -1), x], 1))


@pytest.mark.parametrize("name", ["extra", "cls_token", "reg_tokens"])
@pytest.mark.parametrize("prefix", [0, 1, 13])
def test_prefix_tokens_are_counted_in_any_network(name, prefix):
    x = torch.rand(2, 3, 28, 28)  # 49 positions; 62 tokens could be 7 x 7 after 13, 36 of them 6 x 6
    network = Tokens(prefix, name)
    place = find_map(network, x, "block")
    assert place.layout == Layout("NLC", 7, 7, 6, prefix)
    torch.testing.assert_close(place.map, network.embed(x))


@pytest.mark.parametrize("shape", [(1, 3, 17, 17), (1, 17, 17, 3)], ids=["before", "after a linear layer"])
def test_attention_of_every_token_to_every_token_is_not_a_map(shape):
    network = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=1, num_classes=3)
    assert layout_of(torch.rand(shape), torch.rand(1, 3, 64, 64), network, "blocks.0.attn.attn_drop") is None
    assert layout_of(torch.rand(shape), torch.rand(1, 3, 64, 64), network, "blocks.0.attn.proj") is None


def test_tokens_are_those_of_the_modules_around_a_layer_alone():
    class Embedded(nn.Module):
        def __init__(self, tokens):
            super().__init__()
            self.cls_token = nn.Parameter(torch.zeros(1, tokens, 8))

    blocks = nn.ModuleList([Embedded(1), *(nn.Linear(8, 8) for _ in range(9)), Embedded(3)])
    network = nn.Module()
    network.blocks, network.dist_token = blocks, nn.Parameter(torch.zeros(1, 1, 8))
    assert declared_tokens(network, "blocks.10", (64, 64)) == (3, None)
    assert declared_tokens(network, "blocks.1", (64, 64)) == (4, None), (
        "those of all blocks; blocks.10 is not in blocks.1"
    )
    assert declared_tokens(network, "nowhere.at.all", (64, 64)) == (5, None)


def test_the_map_of_a_convnet_is_found_without_a_look_at_its_parameters_at_each_layer(monkeypatch):
    network = timm.create_model("test_resnet")
    monkeypatch.setattr(nn.Module, "named_parameters", None)
    assert find_map(network, torch.rand(1, 3, 64, 64)).layer == "layer4"
