"""Custom modules are trained in the same way as trials."""

import random

import numpy as np
import torch
from torch import nn

import ablation as ab
from ablation.train.modules import train_module

SMALL = ab.roadmap(width_divisor=8, stem_stride=1)[-1].architecture.replace(depths=(1, 1, 1, 1))
RECIPE = ab.MICRO_MODERN.replace(epochs=2)


def test_a_network_built_from_a_description_gives_the_results_of_its_trial(tmp_path):
    trial = ab.Trial(SMALL, RECIPE, seed=3)
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    network = ab.build(SMALL, num_classes=10, in_chans=1)
    outcome = ab.run(trial, tmp_path)
    assert train_module(network, trial) == (outcome.train_losses, outcome.accuracy)


def test_the_random_state_of_the_caller_is_unchanged_and_the_seed_matters():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    losses = {}
    for seed in (0, 1):
        network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        for weight in network.parameters():
            nn.init.zeros_(weight)
        torch.manual_seed(5)
        losses[seed], _ = train_module(network, ab.Trial(SMALL, RECIPE, seed=seed))
    assert torch.equal(torch.rand(3), expected)
    assert losses[0] != losses[1]


def test_a_non_finite_loss_ends_training_without_an_accuracy():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    losses, accuracy = train_module(network, ab.Trial(SMALL, ab.MICRO_MODERN.replace(lr=1e38, epochs=3)))
    assert accuracy is None and not np.isfinite(losses[-1])
