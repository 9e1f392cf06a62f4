"""The seeds of every random generator that training uses."""

from __future__ import annotations

import random

import numpy as np
import torch


def seed_all(seed: int) -> None:
    """Seed every random generator that training uses, on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """Return the seed for the draws of one step: mixup, stochastic depth, dropout.

    A simple sum of seed and step would repeat the same draws for neighbouring trial seeds.
    """
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1)[0])
