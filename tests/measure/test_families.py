"""Laws that hold for every family of timm: layouts, counts, class activation maps, and a first step of training."""

import re

import pytest
import timm
import torch

from ablation import AblationError, count
from ablation.measure.attribution import grad_cam
from ablation.measure.features import find_map
from ablation.network.timm_creation import check_takes, create_timm
from tests.measure.families import FAMILIES

# Families whose declared layers do not output a single map: several branches, lists, tuples, or names that do not exist.
NO_MAPS = {"efficientvim", "hrnet", "selecsls", "tnt", "twins"}
CLASSES = 3


def made(family):
    name, side, options = FAMILIES[family]
    if options:
        return timm.create_model(name, num_classes=CLASSES, **options), side
    return create_timm(name, num_classes=CLASSES), side


def test_enough_families():
    assert len(FAMILIES) >= 60


@pytest.mark.parametrize("family", FAMILIES)
def test_any_family(family):
    torch.manual_seed(0)
    network, side = made(family)
    network.eval()
    images = torch.rand(1, 3, side, side)
    agreeing = _layouts_agree_with_timm(network, images)
    assert agreeing or family in NO_MAPS, "no layer that timm declares could be read"
    _counters_agree(network, side)
    layout = find_map(network, images).layout
    try:
        assert grad_cam(network, images, 0).shape == (1, layout.height, layout.width)
    except AblationError as error:
        assert "does not depend on the map" in str(error), "layers after a class token's last attention"
    _a_step_of_training_starts(network, images)


def _layouts_agree_with_timm(network, images):
    """Compare the map of every layer in `feature_info` with timm's own, and return how many could be read."""
    with torch.no_grad():
        theirs = network.forward_intermediates(images, intermediates_only=True)
    read = 0
    for info, expected in zip(network.feature_info, theirs, strict=False):
        try:
            ours = find_map(network, images, info["module"]).map
        except AblationError:
            continue  # refused with a reason, never misread
        assert ours.shape == expected.shape, info["module"]
        torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
        read += 1
    return read


def _counters_agree(network, side):
    try:
        counted = count(network, size=side)
    except AblationError as error:
        assert re.search(r"no rule to count aten::\w+", str(error)), "the operator is named"
        return
    assert counted.macs > 0
    for row in counted.cross_check():
        assert row.fvcore == row.torch or row.reason, row


def _a_step_of_training_starts(network, images):
    check_takes(network, "the network", 3, images.shape[-1])
    network.train()
    network(torch.rand(2, *images.shape[1:])).sum().backward()
    assert any(parameter.grad is not None and parameter.grad.any() for parameter in network.parameters())
