"""Custom norms, activations and steps in descriptions, `cost`, `build` and the table of steps."""

import pytest
import torch
from torch import nn

import ablation as ab
from ablation.design import steps


class GeluGrn(nn.Module):
    """GELU followed by the global response normalisation of ConvNeXt V2 (Woo et al. 2023, arXiv 2301.00808)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.act = nn.GELU()
        self.gamma, self.beta = (nn.Parameter(torch.zeros(channels, 1, 1)) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(x)
        response = x.norm(dim=(2, 3), keepdim=True)  # (N, C, 1, 1)
        return x + self.gamma * x * response / (response.mean(dim=1, keepdim=True) + 1e-6) + self.beta


def test_custom_activation_and_step(clean_registries):
    ab.register_activation("gelu_grn", GeluGrn, params=lambda channels: 2 * channels, depends_on="image")
    steps.register_step(ab.Step("gelu_grn", lambda a: a.replace(activation="gelu_grn")))
    for start in (ab.RESNET50.replace(width=8), ab.convnext("atto")):
        architecture = start.apply(steps.parse("gelu_grn"))
        network = ab.build(architecture, num_classes=10)
        counted = ab.count(network, size=64)
        expected = ab.cost(architecture, size=64, num_classes=10)
        assert (counted.params, counted.macs) == (expected.params, expected.macs)
        assert expected.receptive_field is None
        assert expected.params > ab.cost(start, size=64, num_classes=10).params
        network(torch.randn(2, 3, 64, 64)).sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_custom_norm(clean_registries):
    ab.register_norm("group", lambda channels: nn.GroupNorm(1, channels), depends_on="image")
    architecture = ab.RESNET50.replace(width=8, norm="group")
    assert ab.count(ab.build(architecture), size=64).params == ab.cost(architecture, size=64).params


def test_custom_names_can_be_registered_again_but_built_in_names_cannot(clean_registries):
    ab.register_norm("custom", nn.BatchNorm2d)
    ab.register_norm("custom", nn.BatchNorm2d)
    with pytest.raises(ab.AblationError, match="built in"):
        ab.register_norm("batch", nn.BatchNorm2d)
    with pytest.raises(ab.AblationError, match="identifier"):
        ab.register_activation("two words", lambda channels: nn.ReLU())
    with pytest.raises(ab.AblationError, match="depends_on 'all'"):
        ab.register_activation("custom", lambda channels: nn.ReLU(), depends_on="all")
