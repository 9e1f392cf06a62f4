"""The last map of any network: found, read in its layout, and looked at without a trace."""

import pytest
import timm
import torch
from torch import nn

from ablation import RESNET50, AblationError, build, roadmap
from ablation.measure.features import (
    Layout,
    cam_layer,
    checked_layout,
    find_layer,
    last_map,
    layout_of,
    map_of,
    probed,
    run,
)
from tests.laws import randomise
from tests.untouched import untouched

SQUARE, WIDE = (224, 224), (224, 448)
SMALL_SWIN = {"img_size": 112, "embed_dim": 24, "num_heads": (1, 2, 4, 8)}


@pytest.mark.parametrize(
    ("shape", "image", "layout"),
    [
        ((2, 64, 7, 7), SQUARE, Layout("NCHW", 7, 7, 64)),
        ((2, 7, 7, 7), SQUARE, Layout("NCHW", 7, 7, 7)),
        ((2, 7, 7, 64), SQUARE, Layout("NHWC", 7, 7, 64)),
        ((2, 64, 7, 14), WIDE, Layout("NCHW", 7, 14, 64)),
        ((2, 7, 14, 64), WIDE, Layout("NHWC", 7, 14, 64)),
        ((2, 64, 1, 1), SQUARE, Layout("NCHW", 1, 1, 64)),
        ((2, 1, 1, 64), SQUARE, Layout("NHWC", 1, 1, 64)),
        ((2, 49, 64), SQUARE, Layout("tokens", 7, 7, 64)),
        ((2, 50, 64), SQUARE, Layout("tokens", 7, 7, 64, prefix=1)),
        ((2, 53, 64), SQUARE, Layout("tokens", 7, 7, 64, prefix=4)),
        ((2, 16, 31, 74), (256, 512), Layout("NCHW", 31, 74, 16)),  # what is left without padding
        ((2, 98, 64), WIDE, Layout("tokens", 7, 14, 64)),
        ((2, 99, 64), WIDE, Layout("tokens", 7, 14, 64, prefix=1)),
    ],
    ids=str,
)
def test_layouts_are_told_from_shapes(shape, image, layout):
    assert layout_of(torch.zeros(shape), image) == layout


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
    ids=["vectors", "volumes", "odd tokens", "whole numbers", "tuple", "none"],
)
def test_what_is_no_map_has_no_layout(output):
    assert layout_of(output, SQUARE) is None


def test_heads_of_attention_are_no_map():
    assert layout_of(torch.zeros(2, 12, 196, 64), SQUARE) is None, "(N, heads, tokens, channels of a head)"


@pytest.mark.parametrize(("shape", "image"), [((2, 5, 7, 7), SQUARE), ((2, 7, 14, 5), WIDE), ((2, 101, 5), WIDE)])
def test_there_and_back_again(shape, image):
    output = torch.randn(shape)
    layout = layout_of(output, image)
    as_map = layout.to_map(output)
    assert as_map.shape == (2, 5, layout.height, layout.width)
    assert torch.equal(layout.from_map(as_map, output), output)


def test_tokens_lie_row_by_row_after_the_prefix():
    tokens = torch.arange(7.0)[None, :, None]  # one prefix, two rows of three
    assert torch.equal(Layout("tokens", 2, 3, 1, prefix=1).to_map(tokens)[0, 0], torch.tensor([[1.0, 2, 3], [4, 5, 6]]))


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
def test_the_last_map_of_timm_s_networks(name, options, size, layer, shape):
    network = timm.create_model(name, num_classes=3, **options).eval()
    found, features = last_map(network, torch.rand(2, 3, size, size))
    assert (found, features.shape[1:]) == (layer, shape)


def test_the_last_map_before_pooling_by_attention_is_that_of_the_tokens():
    network = timm.create_model("vit_base_patch16_siglip_224", img_size=64, depth=1, embed_dim=64, num_heads=2).eval()
    _, features = last_map(network, torch.rand(1, 3, 64, 64))
    assert features.shape == (1, 64, 4, 4)


def test_a_network_that_names_its_layer_is_believed():
    network = build(RESNET50.replace(width=4), num_classes=3).eval()
    x = torch.rand(1, 3, 64, 64)
    name, features = last_map(network, x)
    assert network.get_submodule(name) is network.cam_layer
    assert torch.equal(features, network.forward_features(x))


@pytest.mark.parametrize("rung", [roadmap(width_divisor=8)[i] for i in (0, -1)], ids=lambda rung: rung.name)
def test_the_last_map_of_ours_is_what_the_head_takes(rung):
    network, x = randomise(build(rung.architecture, num_classes=3)).eval(), torch.rand(2, 3, 64, 64)
    torch.testing.assert_close(network.forward_head(last_map(network, x)[1]), network(x))


def test_a_class_token_is_classified_from_the_last_attention():
    vit = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3).eval()
    assert cam_layer(vit, torch.rand(1, 3, 64, 64)) == "blocks.2.norm1"
    pooled = timm.create_model("vit_tiny_patch16_224", img_size=64, depth=3, global_pool="avg").eval()
    assert cam_layer(pooled, torch.rand(1, 3, 64, 64)) == "norm"


def test_a_network_without_a_map_is_an_error():
    network = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    with pytest.raises(AblationError, match=r"no layer of Sequential .* image of 4 x 4: name one as layer=.*0, 1"):
        last_map(network, torch.rand(1, 3, 4, 4))


def test_a_layer_by_name():
    network = build(RESNET50.replace(width=4), num_classes=3).eval()
    assert find_layer(network, "stages.1") is network.stages[1]
    assert map_of(network, torch.rand(1, 3, 64, 64), "stages.1").shape == (1, 32, 8, 8)
    with pytest.raises(AblationError, match=r"unknown layer 'stages\.9'; did you mean 'stages\.\d'"):
        find_layer(network, "stages.9")


def test_the_message_of_an_unknown_layer_is_not_endless():
    with pytest.raises(AblationError) as caught:
        find_layer(build(RESNET50.replace(width=4)), "no such layer")
    assert len(str(caught.value)) < 500


def test_layers_after_the_one_asked_for_are_not_run():
    called = []
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1))
    network[2].register_forward_hook(lambda part, inputs, output: called.append(part))
    map_of(network, torch.rand(1, 3, 4, 4), "1")
    assert not called


def test_a_layer_that_is_not_used_is_said():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.spare = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1)

        def forward(self, x):
            return self.used(x)

    with pytest.raises(AblationError, match="layer 'spare' was not reached"):
        map_of(Half(), torch.rand(1, 3, 4, 4), "spare")


def test_a_layer_without_a_map_is_said():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten())
    with pytest.raises(AblationError, match=r"layer '1' puts out no map: .* not shape \(1, 64\)"):
        map_of(network, torch.rand(1, 3, 4, 4), "1")
    with pytest.raises(AblationError, match=r"layer 'x' puts out no map: .* not tuple"):
        checked_layout((1, 2), torch.rand(1, 3, 4, 4), "x")


@pytest.mark.parametrize("name", ["resnet18", "swin_tiny_patch4_window7_224", "vit_tiny_patch16_224"])
def test_a_probe_sees_the_map_and_changes_nothing(name):
    options = {"resnet18": {}, "vit_tiny_patch16_224": {"img_size": 64, "depth": 2}}.get(name, SMALL_SWIN)
    network = randomise(timm.create_model(name, num_classes=3, **options)).eval()
    x, seen = torch.rand(2, 3, options.get("img_size", 64), options.get("img_size", 64)), []
    layer, features = last_map(network, x)
    expected = network(x)
    with untouched(network), probed(network, layer, x) as probe:
        probe.register_forward_hook(lambda part, inputs, output: seen.append(output))
        assert torch.equal(network(x), expected)
    assert len(seen) == 1 and torch.equal(seen[0], features)
    network(x)
    assert len(seen) == 1, "the probe is gone"


@pytest.mark.parametrize("look", [last_map, lambda network, x: map_of(network, x, "0")], ids=["last_map", "map_of"])
def test_hooks_are_gone_also_after_an_error(look):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    with untouched(network):
        look(network, torch.rand(1, 3, 4, 4))
        with pytest.raises(AblationError, match="could not be run on images of 5 x 4 x 4"):
            look(network, torch.rand(1, 5, 4, 4))


def test_what_a_module_raises_is_told():
    class Fails(nn.Module):
        def __init__(self, error):
            super().__init__()
            self.error = error

        def forward(self, x):
            raise self.error

    x = torch.rand(2, 3, 4, 6)
    with pytest.raises(AblationError, match=r"Fails could not be run on images of 3 x 4 x 6: no such thing$") as caught:
        run(Fails(ValueError("no such thing\nat all")), x)
    assert isinstance(caught.value.__cause__, ValueError) and "at all" not in str(caught.value)
    with pytest.raises(AblationError, match="4 x 6: ZeroDivisionError"):
        run(Fails(ZeroDivisionError()), x)
    with pytest.raises(AblationError, match=r"^as it was$"):
        run(Fails(AblationError("as it was")), x)
    with pytest.raises(torch.OutOfMemoryError):
        run(Fails(torch.OutOfMemoryError("no room")), x)
