"""Values of the paper's recipes, the optimizers and schedules made from them, and validation."""

import pytest
import torch
from timm.loss import SoftTargetCrossEntropy
from torch import nn

from ablation import AblationError
from ablation.design.recipes import FAMILIES, MODERN, ORIGINAL, family


def test_modern_matches_table_5_of_the_paper_without_the_average_of_weights():
    assert (MODERN.optimizer, MODERN.betas, MODERN.lr, MODERN.lr_batch) == ("adamw", (0.9, 0.999), 4e-3, 4096)
    assert (MODERN.batch_size, MODERN.epochs, MODERN.warmup_epochs, MODERN.schedule) == (4096, 300, 20, "cosine")
    assert (MODERN.weight_decay, MODERN.decay_norms) == (0.05, False)
    assert MODERN.randaugment == "rand-m9-mstd0.5-inc1"
    assert (MODERN.mixup, MODERN.cutmix, MODERN.random_erasing) == (0.8, 1.0, 0.25)
    assert (MODERN.label_smoothing, MODERN.drop_path, MODERN.ema) == (0.1, 0.1, None)


def test_original_matches_torchvision():
    assert (ORIGINAL.optimizer, ORIGINAL.momentum, ORIGINAL.lr, ORIGINAL.lr_batch) == ("sgd", 0.9, 0.1, 256)
    assert (ORIGINAL.epochs, ORIGINAL.schedule, ORIGINAL.decay_epochs, ORIGINAL.decay_rate) == (90, "step", 30, 0.1)
    assert (ORIGINAL.weight_decay, ORIGINAL.warmup_epochs, ORIGINAL.mixup, ORIGINAL.label_smoothing) == (1e-4, 0, 0, 0)


def test_effective_learning_rate_scales_with_the_batch_size():
    assert ORIGINAL.replace(batch_size=512).effective_lr == pytest.approx(0.2)
    assert MODERN.effective_lr == pytest.approx(4e-3)


@pytest.mark.parametrize("name", FAMILIES)
def test_families_pair_an_sgd_and_an_adamw_recipe(name):
    pair = family(name)
    assert pair.original.name != pair.modern.name
    assert pair.original.optimizer == "sgd" and pair.modern.optimizer == "adamw"


def make_parts(recipe, steps=10):
    """Return the optimizer, schedule, mixup function and loss of a recipe."""
    from ablation.train.optimization import make_loss, make_mixup, make_optimizer, make_schedule

    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 10))
    optimizer = make_optimizer(recipe, network)
    return optimizer, make_schedule(recipe, optimizer, steps), make_mixup(recipe, 10), make_loss(recipe)


def learning_rates(recipe, steps=10):
    """Return the learning rate at each step of a run with `steps` steps per epoch."""
    optimizer, schedule, *_ = make_parts(recipe, steps)
    rates = []
    for step in range(recipe.epochs * steps):
        schedule.step_update(step)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def test_original_schedule_divides_by_ten_every_thirty_epochs():
    by_step = learning_rates(ORIGINAL)
    assert by_step[0] == by_step[299] == pytest.approx(0.1)
    assert by_step[300] == by_step[599] == pytest.approx(0.01)
    assert by_step[600] == by_step[899] == pytest.approx(0.001)


def test_modern_schedule_warms_up_for_twenty_epochs_and_follows_a_cosine():
    by_step = learning_rates(MODERN)
    assert by_step[0] == 0 and by_step[100] == pytest.approx(2e-3)
    assert max(by_step) == by_step[200] == pytest.approx(4e-3)
    assert by_step[200 + 1400] == pytest.approx(2e-3, rel=1e-2), "half the peak rate half way through the decay"
    assert by_step[-1] < 1e-5 and by_step[200:] == sorted(by_step[200:], reverse=True)


def test_only_the_modern_recipe_excludes_norms_and_biases_from_weight_decay():
    def num_decayed(recipe):
        groups = make_parts(recipe)[0].param_groups
        return sum(p.numel() for group in groups if group["weight_decay"] for p in group["params"])

    assert num_decayed(MODERN) == 3 * 4 + 4 * 10
    assert num_decayed(ORIGINAL) == (3 * 4 + 4) + (4 + 4) + (4 * 10 + 10)


def test_optimizer_classes_and_settings():
    sgd, adamw = make_parts(ORIGINAL)[0], make_parts(MODERN)[0]
    assert isinstance(sgd, torch.optim.SGD) and not sgd.defaults["nesterov"] and sgd.defaults["momentum"] == 0.9
    assert isinstance(adamw, torch.optim.AdamW) and adamw.defaults["betas"] == (0.9, 0.999)


def test_labels_are_smoothed_once_by_mixup_or_by_the_loss():
    *_, mixup, loss = make_parts(MODERN)
    _, targets = mixup(torch.randn(8, 3, 4, 4), torch.arange(8))
    assert targets.shape == (8, 10) and torch.allclose(targets.sum(1), torch.ones(8))
    assert targets.min() == pytest.approx(0.1 / 10), "the targets are already smoothed"
    logits = torch.randn(8, 10)
    torch.testing.assert_close(loss(logits, targets), SoftTargetCrossEntropy()(logits, targets))
    *_, mixup, loss = make_parts(MODERN.replace(mixup=0, cutmix=0))
    assert mixup is None and loss.label_smoothing == 0.1
    *_, mixup, loss = make_parts(ORIGINAL)
    assert mixup is None and loss.label_smoothing == 0


def test_the_error_for_an_unknown_family_suggests_the_closest_name():
    with pytest.raises(AblationError, match="did you mean 'micro'"):
        family("mirco")
