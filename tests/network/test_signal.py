"""At a quarter of the width, weights times two pass on the signal as at full width, in every row of the ladder."""

from functools import partial

import pytest
import torch

from ablation import AblationError, Trial, build, run
from ablation.design.recipes import FAMILIES
from ablation.design.roadmap import roadmap
from ablation.network.blocks import Block

ROWS = list(zip(roadmap("resnet50", 1, 2), roadmap("resnet50", 4, 2), strict=True))
IMAGES = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def record(found, module, given, out):
    found.append(out.std() / given[0].std())


def gains(architecture, init_gain=1.0, seeds=1):
    """Return the output of each branch over its input, as standard deviations, averaged over initialisations."""
    means = []
    for seed in range(seeds):
        torch.manual_seed(seed)
        network = build(architecture.replace(depths=(1, 1, 2, 1)), num_classes=10, init_gain=init_gain).train()
        found = []
        for module in network.modules():
            if isinstance(module, Block):
                module.branch.register_forward_hook(partial(record, found))
        with torch.no_grad():
            network(IMAGES)
        means.append(torch.stack(found))
    return torch.stack(means).mean(0)


@pytest.mark.parametrize(("full", "quarter"), ROWS, ids=[full.name for full, _ in ROWS])
def test_every_branch_has_the_gain_of_full_width(full, quarter):
    ratios = gains(quarter.architecture, 2.0, seeds=3) / gains(full.architecture)
    assert ratios.min() > 0.75 and ratios.max() < 1.25


@pytest.mark.parametrize("name", ["fewer_norms", "layer_norm", "strided_downsampling"])
def test_without_the_factor_little_of_the_signal_passes_where_one_norm_is_left(name):
    ((full, quarter),) = [rows for rows in ROWS if rows[0].name == name]
    assert (gains(quarter.architecture, seeds=3) / gains(full.architecture)).min() < 0.4


def test_weights_that_sum_over_channels_are_multiplied_and_no_others():
    networks = []
    for init_gain in (1.0, 2.0):
        torch.manual_seed(0)
        networks.append(build(ROWS[-1][1].architecture, num_classes=10, init_gain=init_gain))
    for (name, weight), other in zip(networks[0].named_parameters(), networks[1].parameters(), strict=True):
        is_kernel = weight.ndim > 1
        grows = is_kernel and name != "stem.conv.weight" and weight.shape[1] > 1
        assert torch.equal(other, 2 * weight if grows else weight), name
    networks[1].reset_classifier(5)
    assert networks[1].get_classifier().weight.std().item() == pytest.approx(0.04, rel=0.1)


def test_the_factor_is_part_of_the_trial_and_checked(tmp_path):
    recipe = FAMILIES["micro"].modern
    trial = Trial(ROWS[0][1].architecture, recipe)
    assert Trial(trial.architecture, recipe.replace(init_gain=2)).key("a") != trial.key("a")
    for value in (0, -1, 51, float("nan")):
        with pytest.raises(AblationError, match="init_gain"):
            recipe.replace(init_gain=value)
    with pytest.raises(AblationError, match="timm initialises timm:resnet18"):
        run(Trial("timm:resnet18", recipe.replace(init_gain=2, shift_px=0)), tmp_path)
