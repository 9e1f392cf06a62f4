"""The exact theoretical receptive field."""

import numpy as np
import pytest
import timm
import torch
import torchvision
from torch import nn

from ablation import RESNET50, AblationError, build, convnext, cost, roadmap
from ablation.measure.support import theoretical_receptive_field
from tests.untouched import untouched

RUNGS = list({rung.architecture: rung for rung in roadmap("resnet50")}.values())
FIELDS = {
    "enhanced_recipe": 427,
    "stage_ratio": 507,
    "patchify_stem": 500,
    "depthwise": 500,
    "widen": 500,
    "inverted_bottleneck": 500,
    "move_up_depthwise": 500,
    "kernel_size_7": 1492,
    "gelu": 1492,
    "fewer_activations": 1492,
    "fewer_norms": 1492,
    "layer_norm": 1492,
    "strided_downsampling": 1688,
}
STAGES = {"resnet50": (35, 91, 267, 427), "convnext_tiny": (76, 224, 1096, 1688)}
SMALL = {"resnet50": RESNET50.replace(width=8), "convnext_tiny": convnext("tiny").replace(width=12)}


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_measured_fields_of_the_ladder_match_the_computed_cost(rung):
    # The field does not depend on the width.
    field = theoretical_receptive_field(build(rung.architecture.replace(width=2), num_classes=10))
    expected = cost(rung.architecture).receptive_field
    assert (field, field.height, field.width, field.whole_image) == (expected, expected, expected, False)
    assert field == FIELDS.get(rung.name, field), (
        "only the side branches with kernels 5, 9 and 11 have no expected value"
    )


def test_every_adopted_rung_has_an_expected_field():
    assert {rung.name for rung in RUNGS if rung.adopted} <= FIELDS.keys() <= {rung.name for rung in RUNGS}


@pytest.mark.parametrize("name", STAGES)
def test_field_of_each_stage(name):
    network = build(SMALL[name], num_classes=10)
    measured = tuple(theoretical_receptive_field(network, layer=f"stages.{i}") for i in range(4))
    assert measured == STAGES[name]
    assert measured == tuple(stage.receptive_field for stage in cost(SMALL[name]).stages[1:5])
    assert theoretical_receptive_field(network, layer="stem") == cost(SMALL[name]).stages[0].receptive_field


def original_resnet50():
    """Return ResNet-50 as first published, with the stride in the first 1x1 convolution of a block."""
    network = torchvision.models.resnet50(num_classes=10)
    for stage in (network.layer2, network.layer3, network.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    return network


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: timm.create_model("resnet50"), 427),
        (lambda: torchvision.models.resnet50(), 427),
        (original_resnet50, 483),
        (lambda: torchvision.models.vgg11(num_classes=10).features, 150),
    ],
    ids=["timm", "torchvision", "v1", "vgg11"],
)
def test_fields_of_networks_from_other_libraries(make, field):
    assert theoretical_receptive_field(make()) == field


def network_with(norm):
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), norm, nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1))


@pytest.mark.parametrize(
    "make",
    [
        lambda: network_with(nn.GroupNorm(1, 8)),
        lambda: network_with(nn.GroupNorm(4, 8)),
        lambda: network_with(nn.InstanceNorm2d(8)),
        lambda: timm.create_model("vit_tiny_patch16_224", img_size=64, depth=2),
        lambda: timm.create_model("swin_tiny_patch4_window7_224", img_size=112, embed_dim=24, num_heads=(1, 2, 4, 8)),
    ],
    ids=["GroupNorm(1)", "GroupNorm(4)", "InstanceNorm", "vit", "swin"],
)
def test_field_of_spatial_norms_and_attention_is_the_whole_image(make):
    field = theoretical_receptive_field(make())
    assert field.whole_image and "whole image" in repr(field)


def test_norms_within_one_position_do_not_enlarge_the_field():
    field = theoretical_receptive_field(network_with(nn.BatchNorm2d(8)))
    assert (field, field.whole_image, repr(field)) == (5, False, "5 px")


def random_stack(seed, padded):
    """Return a random stack of convolutions and max-pools, and its field: each adds (k - 1) * dilation * jump."""
    rng = np.random.default_rng(seed)
    layers, field, jump, channels = [], 1, 1, 3
    for _ in range(rng.integers(1, 7)):
        kernel, stride = int(rng.choice([1, 2, 3, 5, 7])), int(rng.choice([1, 1, 2, 3]))
        if rng.random() < 0.2:
            layers.append(nn.MaxPool2d(kernel, stride, padding=kernel // 2 if padded else 0))
            dilation = 1
        else:
            dilation, out = int(rng.choice([1, 1, 2])), int(rng.choice([1, 4, 16]))
            padding = dilation * (kernel - 1) // 2 if padded else 0
            layers += [nn.Conv2d(channels, out, kernel, stride, padding, dilation), nn.ReLU()]
            channels = out
        field, jump = field + (kernel - 1) * dilation * jump, jump * stride
    return nn.Sequential(*layers), field


@pytest.mark.parametrize("seed", range(30))
def test_field_of_a_random_stack_matches_the_closed_form(seed):
    network, field = random_stack(seed, padded=True)
    assert theoretical_receptive_field(network) == field


@pytest.mark.parametrize("seed", range(10))
def test_field_of_a_random_stack_without_padding_matches_the_closed_form(seed):
    network, field = random_stack(seed, padded=False)
    assert theoretical_receptive_field(network) == field


@pytest.mark.parametrize("layers", [10, 25])
def test_field_larger_than_every_square_is_measured_on_strips(layers):
    network = nn.Sequential(nn.Conv2d(3, 2, 11, 8), *[nn.Conv2d(2, 2, 7, padding=2) for _ in range(layers)])
    assert theoretical_receptive_field(network) == 11 + 48 * layers


def test_field_of_alexnet():
    assert theoretical_receptive_field(torchvision.models.alexnet(num_classes=10).features) == 195


class Residual(nn.Module):
    """The sum of several branches."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return sum(branch(x) for branch in self.branches)


def test_field_is_that_of_the_longest_branch():
    def block():
        branch = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 3, 5, padding=2))
        return Residual(nn.Identity(), branch)

    assert theoretical_receptive_field(nn.Sequential(block(), nn.MaxPool2d(2), block())) == 1 + 6 + 1 + 2 * 6


def test_inactive_rectifiers_do_not_reduce_the_field():
    layers = []
    for i in range(6):
        layers += [nn.Conv2d(3 if i == 0 else 1, 1, 3, padding=1), nn.ReLU(inplace=True)]
        nn.init.constant_(layers[-2].bias, -1000.0)
    assert theoretical_receptive_field(nn.Sequential(*layers)) == 13


def test_zero_weights_do_not_reduce_the_field():
    conv = nn.Conv2d(3, 4, 5, padding=2)
    nn.init.zeros_(conv.weight)
    assert theoretical_receptive_field(nn.Sequential(conv, nn.BatchNorm2d(4))) == 5


def test_field_of_a_max_pool_is_its_window():
    assert theoretical_receptive_field(nn.Sequential(nn.Conv2d(3, 1, 1), nn.MaxPool2d(3, 2, padding=1))) == 3
    assert theoretical_receptive_field(nn.Sequential(nn.Conv2d(3, 1, 1), nn.MaxPool2d(3, 2, ceil_mode=True))) == 3


def test_height_width_and_offset():
    field = theoretical_receptive_field(nn.Conv2d(3, 4, (3, 7), padding=(1, 3)))
    assert (field, field.height, field.width, field.offset) == (7, 3, 7, (-1, -3))
    field = theoretical_receptive_field(nn.Conv2d(3, 4, 4, stride=4))
    assert (field, field.offset) == (4, (0, 0))


def test_field_is_clipped_to_a_given_size():
    network = nn.Sequential(*[nn.Conv2d(3 if i == 0 else 4, 4, 7, padding=3) for i in range(5)])
    assert theoretical_receptive_field(network) == theoretical_receptive_field(network, size=40) == 31
    field = theoretical_receptive_field(network, size=20)
    assert field == 20 and field.whole_image


def test_number_of_image_channels():
    assert theoretical_receptive_field(nn.Conv2d(1, 4, 3), in_chans=1) == 3


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (build(SMALL["resnet50"]), {"layer": "stage.0"}, "unknown layer 'stage.0'; did you mean 'stages.0'"),
        (nn.Conv2d(1, 4, 3), {}, "could not be run on images of 3 x"),
        (nn.Sequential(nn.Flatten(), nn.LazyLinear(4)), {"size": 8}, "no layer of Sequential outputs a map"),
        (nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()), {"layer": "1", "size": 8}, "'1' does not output a map"),
        (Residual(nn.Conv2d(3, 4, 1)), {"size": 0}, "could not be run on images of 3 x 0 x 0"),
    ],
    ids=["layer", "channels", "no map", "layer without map", "size"],
)
def test_invalid_input_of_the_theoretical_field_is_refused(module, options, message):
    if any(isinstance(part, nn.LazyLinear) for part in module.modules()):
        module(torch.zeros(1, 3, 8, 8))
    with pytest.raises(AblationError, match=message):
        theoretical_receptive_field(module, **options)


def test_map_independent_of_the_image_is_refused():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.ones_like(x) + 0 * x

    with pytest.raises(AblationError, match="does not depend on the image"):
        theoretical_receptive_field(Constant())


def test_measuring_the_theoretical_field_leaves_the_network_unchanged():
    network = build(SMALL["resnet50"]).train()
    network.stages[1].eval()
    with untouched(network):
        theoretical_receptive_field(network)
        with pytest.raises(AblationError):
            theoretical_receptive_field(network, layer="none")
