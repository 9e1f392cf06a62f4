"""The last feature map of any network: finding it, reading its layout, and no side effects."""

import pytest
import timm
import torch
from torch import nn

from ablation import RESNET50, AblationError, build, roadmap
from ablation.measure.features import (
    checked_layout,
    find_cam,
    find_layer,
    find_map,
    probed,
    run,
)
from ablation.measure.layouts import UNKNOWN, Layout, layout_of
from tests.laws import randomise
from tests.untouched import untouched

SQUARE, WIDE = (224, 224), (224, 448)


def last_map(network, x):
    place = find_map(network, x)
    return place.layer, place.map


def map_of(network, x, layer):
    return find_map(network, x, layer).map


PLAIN = nn.Sequential(nn.Identity())
SMALL_SWIN = {"img_size": 112, "embed_dim": 24, "num_heads": (1, 2, 4, 8)}


def read(output, image, module=PLAIN, layout=None):
    """The layout of an output of a layer of which nothing but the shape is known."""
    return layout_of(output, torch.zeros(2, 3, *image), module, "0", layout)


@pytest.mark.parametrize(
    ("shape", "image", "layout"),
    [
        ((2, 64, 7, 7), SQUARE, Layout("NCHW", 7, 7, 64)),
        ((2, 7, 7, 7), SQUARE, UNKNOWN),
        ((2, 56, 56, 57), SQUARE, Layout("NHWC", 56, 56, 57)),
        ((2, 7, 7, 64), SQUARE, Layout("NHWC", 7, 7, 64)),
        ((2, 64, 7, 14), WIDE, Layout("NCHW", 7, 14, 64)),
        ((2, 7, 14, 64), WIDE, Layout("NHWC", 7, 14, 64)),
        ((2, 64, 1, 1), SQUARE, Layout("NCHW", 1, 1, 64)),
        ((2, 1, 1, 64), SQUARE, Layout("NHWC", 1, 1, 64)),
        ((2, 49, 64), SQUARE, Layout("NLC", 7, 7, 64)),
        ((2, 50, 64), SQUARE, UNKNOWN),  # 7 x 7 after 1 token, or 6 x 6 after 14
        ((2, 16, 31, 74), (256, 512), UNKNOWN),  # convolutions without padding, or 16 x 31 patches of 17 pixels
        ((2, 98, 64), WIDE, Layout("NLC", 7, 14, 64)),
        ((2, 99, 64), WIDE, UNKNOWN),
    ],
    ids=str,
)
def test_layouts_are_inferred_from_shapes(shape, image, layout):
    assert read(torch.zeros(shape), image) == layout


@pytest.mark.parametrize(
    "output",
    [
        torch.zeros(2, 64),
        torch.zeros(2, 3, 64, 7, 7),
        torch.zeros(2, 98, 64),
        torch.zeros(2, 64, 7, 7, dtype=torch.long),
        (torch.zeros(2, 64, 7, 7),),
        None,
    ],
    ids=["vectors", "volumes", "tokens that fill no grid", "integers", "tuple", "none"],
)
def test_outputs_that_are_not_maps_have_no_layout(output):
    assert read(output, SQUARE) is None


def test_attention_heads_are_not_a_map():
    assert read(torch.zeros(2, 12, 196, 64), SQUARE) is None, "(N, heads, tokens, channels of a head)"


@pytest.mark.parametrize(
    ("shape", "image", "form"),
    [((2, 5, 7, 7), SQUARE, "NCHW"), ((2, 7, 14, 5), WIDE, "NHWC"), ((2, 101, 5), WIDE, "NLC+3")],
)
def test_to_map_and_from_map_are_inverse(shape, image, form):
    output = torch.randn(shape)
    layout = read(output, image, layout=form)
    as_map = layout.to_map(output)
    assert as_map.shape == (2, 5, layout.height, layout.width)
    assert torch.equal(layout.from_map(as_map, output), output)


def test_position_tokens_are_in_row_major_order_after_the_prefix():
    tokens = torch.arange(7.0)[None, :, None]  # one prefix token, two rows of three
    assert torch.equal(Layout("NLC", 2, 3, 1, prefix=1).to_map(tokens)[0, 0], torch.tensor([[1.0, 2, 3], [4, 5, 6]]))


@pytest.mark.parametrize(
    ("name", "options", "size", "layer", "shape"),
    [
        ("resnet18", {}, 64, "layer4", (512, 2, 2)),
        ("resnet18", {}, 32, "layer4", (512, 1, 1)),
        ("convnext_atto", {}, 64, "norm_pre", (320, 2, 2)),
        ("swin_tiny_patch4_window7_224", SMALL_SWIN, 112, "norm", (192, 4, 4)),
        ("vit_tiny_patch16_224", {"img_size": 64, "depth": 2}, 64, "norm", (192, 4, 4)),
        ("vit_small_patch14_reg4_dinov2", {"img_size": 56, "depth": 2}, 56, "norm", (384, 4, 4)),
        ("efficientnet_b0", {}, 64, "bn2", (1280, 2, 2)),
    ],
)
def test_last_map_of_timm_networks(name, options, size, layer, shape):
    network = timm.create_model(name, num_classes=3, **options).eval()
    found, features = last_map(network, torch.rand(2, 3, size, size))
    assert (found, features.shape[1:]) == (layer, shape)


def test_last_map_before_attention_pooling_is_that_of_the_tokens():
    network = timm.create_model("vit_base_patch16_siglip_224", img_size=64, depth=1, embed_dim=64, num_heads=2).eval()
    _, features = last_map(network, torch.rand(1, 3, 64, 64))
    assert features.shape == (1, 64, 4, 4)


def test_cam_layer_attribute_of_the_network_is_used():
    network = build(RESNET50.replace(width=4), num_classes=3).eval()
    x = torch.rand(1, 3, 64, 64)
    name, features = last_map(network, x)
    assert network.get_submodule(name) is network.cam_layer
    assert torch.equal(features, network.forward_features(x))


@pytest.mark.parametrize("rung", [roadmap(width_divisor=8)[i] for i in (0, -1)], ids=lambda rung: rung.name)
def test_last_map_of_our_networks_is_the_input_of_the_head(rung):
    network, x = randomise(build(rung.architecture, num_classes=3)).eval(), torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(network.forward_head(last_map(network, x)[1]), network(x))


def test_cam_layer_with_a_class_token_is_the_norm_before_the_last_attention():
    vit = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3).eval()
    assert find_cam(vit, torch.rand(1, 3, 64, 64)).layer == "blocks.2.norm1"
    pooled = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3, global_pool="avg").eval()
    assert find_cam(pooled, torch.rand(1, 3, 64, 64)).layer == "norm"


def test_a_network_without_a_map_is_refused():
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    with pytest.raises(AblationError, match=r"no layer of Sequential .* image of 4 x 4: name one as layer=.*0, 1"):
        last_map(network, torch.rand(1, 3, 4, 4))


def test_a_layer_is_found_by_name():
    network = build(RESNET50.replace(width=4), num_classes=3).eval()
    assert find_layer(network, "stages.1") is network.stages[1]
    assert map_of(network, torch.rand(1, 3, 64, 64), "stages.1").shape == (1, 32, 8, 8)
    with pytest.raises(AblationError, match=r"unknown layer 'stages\.9'; did you mean 'stages\.\d'"):
        find_layer(network, "stages.9")


def test_the_message_for_an_unknown_layer_is_short():
    with pytest.raises(AblationError) as caught:
        find_layer(build(RESNET50.replace(width=4)), "no such layer")
    assert len(str(caught.value)) < 500


def test_layers_after_the_requested_one_are_not_run():
    called = []
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1))
    network[2].register_forward_hook(lambda part, inputs, output: called.append(part))
    map_of(network, torch.rand(1, 3, 4, 4), "1")
    assert not called


def test_an_unused_layer_is_refused():
    class HalfUsed(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.spare = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(AblationError, match="layer 'spare' was not reached"):
        map_of(HalfUsed(), torch.rand(1, 3, 4, 4), "spare")


def test_a_layer_without_a_map_is_refused():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten())
    with pytest.raises(AblationError, match=r"layer '1' does not output a map: .* not shape \(1, 64\)"):
        map_of(network, torch.rand(1, 3, 4, 4), "1")
    with pytest.raises(AblationError, match=r"layer 'x' does not output a map: .* not tuple"):
        checked_layout((1, 2), torch.rand(1, 3, 4, 4), network, "x")


@pytest.mark.parametrize("name", ["resnet18", "swin_tiny_patch4_window7_224", "vit_tiny_patch16_224"])
def test_a_probe_receives_the_map_and_changes_nothing(name):
    options = {"resnet18": {}, "vit_tiny_patch16_224": {"img_size": 64, "depth": 2}}.get(name, SMALL_SWIN)
    network = randomise(timm.create_model(name, num_classes=3, **options)).eval()
    x, maps = torch.rand(2, 3, options.get("img_size", 64), options.get("img_size", 64)), []
    layer, features = last_map(network, x)
    expected = network(x)
    with untouched(network), probed(network, layer, find_map(network, x, layer).layout) as probe:
        probe.register_forward_hook(lambda part, inputs, output: maps.append(output))
        assert torch.equal(network(x), expected)
    assert len(maps) == 1 and torch.equal(maps[0], features)
    network(x)
    assert len(maps) == 1, "the probe was removed"


@pytest.mark.parametrize("read", [last_map, lambda network, x: map_of(network, x, "0")], ids=["last_map", "map_of"])
def test_hooks_are_removed_even_after_an_error(read):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    with untouched(network):
        read(network, torch.rand(1, 3, 4, 4))
        with pytest.raises(AblationError, match="could not be run on images of 5 x 4 x 4"):
            read(network, torch.rand(1, 5, 4, 4))


def test_errors_of_the_module_are_reported():
    class Fails(nn.Module):
        def __init__(self, error):
            super().__init__()
            self.error = error

        def forward(self, x):
            raise self.error

    x = torch.rand(2, 3, 4, 6)
    with pytest.raises(AblationError, match=r"Fails could not be run on images of 3 x 4 x 6: first line$") as caught:
        run(Fails(ValueError("first line\nsecond line")), x)
    assert isinstance(caught.value.__cause__, ValueError) and "second line" not in str(caught.value)
    with pytest.raises(AblationError, match="4 x 6: ZeroDivisionError"):
        run(Fails(ZeroDivisionError()), x)
    with pytest.raises(AblationError, match=r"^unchanged$"):
        run(Fails(AblationError("unchanged")), x)
    with pytest.raises(torch.OutOfMemoryError):
        run(Fails(torch.OutOfMemoryError("out of memory")), x)
