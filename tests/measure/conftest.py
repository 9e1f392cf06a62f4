"""Fixtures: a fixed seed for every test, and a linear classifier with images."""

import pytest
import torch
from torch import nn


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


@pytest.fixture
def linear():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).double()


@pytest.fixture
def images():
    return torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1)).double()
