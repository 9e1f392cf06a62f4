"""The effective receptive field, compared with a plain loop and an analytic map."""

from contextlib import nullcontext
from math import erf, sqrt

import numpy as np
import pytest
import timm
import torch
from torch import nn

from ablation import RESNET50, AblationError, build, convnext
from ablation.measure.images import IMAGENET_MEAN, IMAGENET_STD, normalise, photographs
from ablation.measure.receptive_field import (
    ERF,
    SHARES,
    FieldWarning,
    closed_branches,
    effective_receptive_field,
    open_branches,
)
from ablation.measure.support import theoretical_receptive_field
from tests.laws import randomise
from tests.untouched import untouched

SMALL = {"resnet50": RESNET50.replace(width=8), "convnext_tiny": convnext("tiny").replace(width=12)}
MODELS = ["resnet50", "convnext_tiny", "swin_tiny_patch4_window7_224"]


def open_model(name, **options):
    return open_branches(timm.create_model(name, **options)).eval()


def normalised_photographs(size, number):
    return normalise(photographs(size)[:number], IMAGENET_MEAN, IMAGENET_STD)


def plain_loop(network, images, nhwc):
    """Compute the map of figure 1 of RepLKNet, one image at a time."""
    total = 0
    for image in images:
        x = image[None].clone().requires_grad_()
        features = network.forward_features(x)
        features = features.permute(0, 3, 1, 2) if nhwc else features  # (1, C, h, w)
        height, width = features.shape[2:]
        (gradient,) = torch.autograd.grad(features[:, :, height // 2, width // 2].relu().sum(), x)
        total = total + gradient.relu().sum((0, 1))
    return (total / len(images)).numpy()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("size", "number"), [(224, 8), (448, 2)])
def test_effective_field_equals_a_plain_loop(name, size, number):
    swin = name.startswith("swin")
    network, images = open_model(name, **({"img_size": size} if swin else {})), normalised_photographs(size, number)
    fits = name == "resnet50" and size > 427
    with nullcontext() if fits else pytest.warns(FieldWarning, match="reaches the edge"):
        found = effective_receptive_field(network, images)
    expected = plain_loop(network, images, nhwc=swin)
    np.testing.assert_allclose(found.map, expected, rtol=0, atol=1e-5 * expected.max())
    assert (found.images, found.positions, found.cut) == (number, (size // 32, size // 32), not fits)


def gaussian(sigma=340, side=2001):
    line = np.exp(-0.5 * ((np.arange(side) - side // 2) / sigma) ** 2)
    return ERF(np.outer(line, line), images=1, layer="", positions=(1, 1), cut=False)


@pytest.mark.parametrize("share", SHARES)
def test_squares_on_a_gaussian_hold_the_analytic_share(share):
    field, sigma = gaussian(), 340

    def within(half):
        return erf(half / (sigma * sqrt(2))) ** 2

    side = field.side(share)
    assert within(side / 2) / within(2001 / 2) == pytest.approx(share, rel=0.01)
    assert field.area(share) == pytest.approx(side**2 / 2001**2)


def test_log_scale_gives_larger_sides_for_a_peaked_map():
    field = gaussian(sigma=40, side=401)
    peaked = ERF(1e6 * field.map, 1, "", (1, 1), False)
    for share in SHARES:
        assert peaked.side(share, scale="log") > peaked.side(share, scale="linear") == field.side(share)


def field_of(values):
    return ERF(np.array(values, dtype=float), images=1, layer="", positions=(1, 1), cut=False)


def test_sides_and_areas_computed_by_hand():
    one = np.zeros((5, 5))
    one[2, 2] = 1
    assert (field_of(one).side(0.99), field_of(one).area(0.99)) == (1, 1 / 25)
    flat = field_of(np.ones((5, 5)))  # squares of 1, 9 and 25 pixels hold 0.04, 0.36 and 1
    assert [flat.side(share) for share in (0.03, 0.05, 0.35, 0.37)] == [1, 3, 3, 5]
    assert [flat.area(share) for share in (0.03, 0.05, 0.35, 0.37)] == [1 / 25, 9 / 25, 9 / 25, 1]
    even = field_of(np.ones((4, 4)))  # the middle pixel is 2 and 2: squares of 1, 9 and, cut at the edge, 16
    assert [even.side(share) for share in (0.05, 0.5, 0.6)] == [1, 3, 5]
    assert [even.area(share) for share in (0.05, 0.5, 0.6)] == [1 / 16, 9 / 16, 1]
    wide = field_of(np.ones((3, 7)))  # 1, 9, 15 and 21
    assert [wide.side(share) for share in (0.04, 0.4, 0.7, 0.9)] == [1, 3, 5, 7]
    assert [wide.area(share) for share in (0.04, 0.4, 0.7, 0.9)] == [1 / 21, 9 / 21, 15 / 21, 1]


def test_log_scale_computed_by_hand():
    field = field_of([[9, 0, 0], [0, 99, 0], [0, 0, 9]])  # logarithms 1, 2 and 1
    assert [field.side(0.6), field.side(0.6, scale="log")] == [1, 3]


def test_centre_of_mass_computed_by_hand():
    assert field_of([[0, 0, 0, 0], [0, 0, 1, 3]]).centroid == (1.0, 2.75)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "share 0 must lie between 0 and 1"),
        ((1,), "share 1 must lie between 0 and 1"),
        ((50,), "share 50 must lie between 0 and 1"),
        ((0.5, "logarithmic"), "unknown scale 'logarithmic'.*linear, log"),
    ],
)
def test_invalid_shares_and_scales_are_refused(arguments, message):
    for method in (gaussian(4, 9).side, gaussian(4, 9).area):
        with pytest.raises(AblationError, match=message):
            method(*arguments)


def test_side_and_centroid_of_a_zero_map_raise_an_error():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU())
    nn.init.constant_(network[0].bias, -1000.0)
    field = effective_receptive_field(network, torch.rand(2, 3, 9, 9))
    assert not field.map.any()
    with pytest.raises(AblationError, match="zero everywhere"):
        field.side(0.5)
    with pytest.raises(AblationError, match="zero everywhere"):
        _ = field.centroid


def test_field_of_a_small_network_on_a_large_image_is_not_cut():
    network = randomise(nn.Sequential(nn.Conv2d(3, 8, 7, padding=3), nn.GELU(), nn.Conv2d(8, 8, 7, padding=3)))
    field = effective_receptive_field(network, torch.randn(2, 3, 40, 40))
    assert not field.cut and field.map.shape == (40, 40)
    rows, columns = field.map.nonzero()
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (14, 26, 14, 26), "13 pixels around pixel 20"


def test_field_that_reaches_the_edge_gives_a_warning():
    network = randomise(nn.Sequential(nn.Conv2d(3, 8, 7, padding=3), nn.GELU(), nn.Conv2d(8, 8, 7, padding=3)))
    with pytest.warns(FieldWarning, match="reaches the edge of the 12 x 12 image"):
        assert effective_receptive_field(network, torch.randn(2, 3, 12, 12)).cut


def test_closed_branches_give_a_warning_and_can_be_opened():
    network = timm.create_model("convnext_atto", num_classes=10)
    images = torch.randn(2, 3, 96, 96)
    with pytest.warns(FieldWarning) as warned:
        effective_receptive_field(network, images, layer="stem")
    assert "branches are closed" in str(warned[0].message)
    assert len(closed_branches(network)) == 12 and closed_branches(network)[0] == "stages.0.blocks.0.gamma"
    assert open_branches(network) is network and closed_branches(network) == []
    assert (network.stages[0].blocks[0].gamma == 1).all()


def test_norm_weights_initialised_to_zero_close_a_branch_and_biases_do_not():
    network = timm.create_model("resnet18", num_classes=10)
    assert closed_branches(network) == [f"layer{i}.{j}.bn2.weight" for i in (1, 2, 3, 4) for j in (0, 1)]
    assert closed_branches(build(SMALL["resnet50"])) == []


def test_class_token_is_not_a_closed_branch():
    assert closed_branches(timm.create_model("vit_tiny_patch16_224", depth=1)) == []


def batch_norm_network():
    """Return a network whose batch norms would mix the images of a batch in training mode."""
    return randomise(build(RESNET50.replace(width=4, depths=(1, 1, 1, 1)), num_classes=10)).train()


def test_chunk_size_does_not_change_the_map():
    network, images = batch_norm_network(), torch.randn(5, 3, 64, 64)
    with pytest.warns(FieldWarning, match="edge"):
        maps = [effective_receptive_field(network, images, chunk=chunk).map for chunk in (1, 2, 4, 5, 100, None)]
    for other in maps[1:]:
        np.testing.assert_allclose(other, maps[0], rtol=1e-4, atol=1e-6 * maps[0].max())
    with pytest.warns(FieldWarning, match="edge"):
        single = [effective_receptive_field(network, image[None]).map for image in images]
    np.testing.assert_allclose(np.mean(single, axis=0), maps[0], rtol=1e-4, atol=1e-6 * maps[0].max())


def test_measuring_the_effective_field_leaves_network_and_images_unchanged():
    network, images = batch_norm_network(), torch.randn(3, 3, 64, 64)
    network.stages[1].eval()
    before, reports = images.clone(), []
    with untouched(network), pytest.warns(FieldWarning, match="edge"):
        effective_receptive_field(network, images, chunk=1, progress=lambda *done: reports.append(done))
    assert torch.equal(images, before)
    assert reports == [(1, 3), (2, 3), (3, 3)]
    with untouched(network), pytest.raises(AblationError, match="unknown layer 'stage'"):
        effective_receptive_field(network, images, layer="stage")


def test_networks_that_start_with_an_in_place_layer_are_supported():
    network, images = nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 4, 5, padding=2)), torch.randn(3, 3, 32, 32)
    before = images.clone()
    field = effective_receptive_field(network, images)
    assert torch.equal(images, before)
    plain = effective_receptive_field(nn.Sequential(nn.ReLU(), network[1]), images)
    np.testing.assert_allclose(field.map, plain.map)
    assert theoretical_receptive_field(network) == 5


def test_channels_with_a_negative_centre_do_not_contribute():
    class Signs(nn.Module):
        """Two channels: three times the sum of five pixels, and minus six times that sum."""

        def forward(self, x):
            y = 3 * nn.functional.avg_pool2d(x, (1, 5), stride=1, padding=(0, 2)) * 5
            return torch.cat([y, -2 * y], dim=1)

    field = effective_receptive_field(Signs(), torch.ones(2, 1, 9, 9))
    expected = np.zeros((9, 9))
    expected[4, 2:7] = 3
    np.testing.assert_allclose(field.map, expected, rtol=1e-6)
    field = effective_receptive_field(Signs(), -torch.ones(2, 1, 9, 9))
    assert not field.map.any(), "the gradient of the only positive channel is negative"


def test_field_of_a_named_layer():
    network = batch_norm_network()
    field = effective_receptive_field(network, torch.randn(1, 3, 64, 64), layer="stem")
    assert (field.layer, field.positions, field.cut) == ("stem", (16, 16), False)
    rows, _ = field.map.nonzero()
    assert rows.max() - rows.min() + 1 <= theoretical_receptive_field(network, layer="stem") == 11


class Bounded(nn.Module):
    """A convolution that fails after 50 calls, so that an endless loop is detected."""

    def __init__(self):
        super().__init__()
        self.conv, self.calls = nn.Conv2d(3, 4, 3, padding=1), []

    def forward(self, x):
        self.calls.append(len(x))
        if len(self.calls) > 50:
            raise RuntimeError("more than 50 calls")
        return self.conv(x)


@pytest.mark.parametrize("chunk", [0, -1])
def test_chunk_below_one_is_refused(chunk):
    with pytest.raises(AblationError, match=f"chunk {chunk} must be 1 or more"):
        effective_receptive_field(Bounded(), torch.rand(3, 3, 9, 9), chunk=chunk)


@pytest.mark.parametrize(
    ("module", "images", "message"),
    [
        (nn.Conv2d(3, 4, 3), torch.rand(3, 9, 9), r"must be a tensor of shape \(N, C, H, W\)"),
        (nn.Conv2d(3, 4, 3), torch.full((1, 3, 9, 9), float("nan")), "images are not finite"),
        (nn.Conv2d(4, 4, 3), torch.rand(1, 3, 9, 9), "could not be run on images of 3 x 9 x 9"),
        (nn.Flatten(), torch.rand(1, 3, 9, 9), "no layer of Flatten outputs a map"),
    ],
    ids=["one image", "nan", "channels", "no map"],
)
def test_invalid_input_of_the_effective_field_is_refused(module, images, message):
    with pytest.raises(AblationError, match=message):
        effective_receptive_field(module, images)


def test_weights_that_are_not_finite_are_refused_with_the_parameter_name():
    conv = nn.Conv2d(3, 4, 3)
    nn.init.constant_(conv.weight, float("nan"))
    with pytest.raises(AblationError, match="weights are not finite: weight of Conv2d"):
        effective_receptive_field(conv, torch.rand(1, 3, 9, 9))
