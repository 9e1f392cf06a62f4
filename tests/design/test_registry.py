"""A norm, an activation and a step of one's own, known alike to descriptions, cost, build and the step table."""

import pytest
import torch
from torch import nn

import ablation as ab
from ablation.design import steps


class GeluGrn(nn.Module):
    """GELU, then the global response normalisation of ConvNeXt V2 (Woo et al. 2023, arXiv 2301.00808)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.act = nn.GELU()
        self.gamma, self.beta = (nn.Parameter(torch.zeros(channels, 1, 1)) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(x)
        response = x.norm(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        return x + self.gamma * x * response / (response.mean(dim=1, keepdim=True) + 1e-6) + self.beta


def test_an_activation_and_a_step_of_one_s_own(clean_registries):
    ab.register_activation("gelu_grn", GeluGrn, params=lambda channels: 2 * channels, depends_on="image")
    steps.register_step(ab.Step("gelu_grn", lambda a: a.replace(activation="gelu_grn")))
    for start in (ab.RESNET50.replace(width=8), ab.convnext("atto")):
        mine = start.apply(steps.parse("gelu_grn"))
        network = ab.build(mine, num_classes=10)
        counted = ab.count(network, size=64)
        price = ab.cost(mine, size=64, num_classes=10)
        assert (counted.params, counted.macs) == (price.params, price.macs)
        assert price.receptive_field is None
        assert price.params > ab.cost(start, size=64, num_classes=10).params
        network(torch.randn(2, 3, 64, 64)).sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_norm_of_one_s_own(clean_registries):
    ab.register_norm("group", lambda channels: nn.GroupNorm(1, channels), depends_on="image")
    mine = ab.RESNET50.replace(width=8, norm="group")
    assert ab.count(ab.build(mine), size=64).params == ab.cost(mine, size=64).params


def test_registering_twice_takes_the_later_and_built_in_names_are_kept(clean_registries):
    ab.register_norm("mine", nn.BatchNorm2d)
    ab.register_norm("mine", nn.BatchNorm2d)
    with pytest.raises(ab.AblationError, match="built in"):
        ab.register_norm("batch", nn.BatchNorm2d)
    with pytest.raises(ab.AblationError, match="identifier"):
        ab.register_activation("my act", lambda channels: nn.ReLU())
    with pytest.raises(ab.AblationError, match="sees 'all'"):
        ab.register_activation("mine", lambda channels: nn.ReLU(), depends_on="all")
