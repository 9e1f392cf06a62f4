"""Guided methods refuse rectifiers that no hook reaches, and gradients do not depend on activation checkpointing."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from ablation import AblationError, attribute, effective_receptive_field, theoretical_receptive_field
from ablation.measure.attribution import AttributionWarning, grad_cam
from ablation.measure.rectifiers import rectifiers_without_module
from tests.measure.networks import Applies
from tests.untouched import untouched

OTHERS = {
    "relu": F.relu,
    "method": lambda x: x.relu(),
    "in place": lambda x: x.clone().relu_(),
    "relu6": F.relu6,
    "clamp": lambda x: x.clamp(min=0),
    "threshold": lambda x: F.threshold(x, 0, 0),
    "hardtanh": lambda x: F.hardtanh(x, 0.0, 6.0),
    "ReLU6": nn.ReLU6(),
}


def network(second):
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), second, *head)


@pytest.mark.parametrize("second", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("method", ["guided_backprop", "guided_grad_cam"])
def test_a_rectifier_that_is_no_relu_module_is_named(method, second):
    layer = second if isinstance(second, nn.Module) else Applies(second)
    mixed, x = network(layer), torch.rand(1, 3, 8, 8)
    assert rectifiers_without_module(mixed, x) == ["3"]
    with untouched(mixed), pytest.raises(AblationError, match="also rectifies without one, in 3: the map would be"):
        attribute(mixed, x, 0, method)


@pytest.mark.parametrize("second", [nn.ReLU(), nn.GELU(), Applies(lambda x: x.clamp(min=1e-6))], ids=str)
def test_modules_and_other_functions_are_no_hidden_rectifiers(second):
    assert rectifiers_without_module(network(second), torch.rand(1, 3, 8, 8)) == []
    with pytest.warns(AttributionWarning):
        assert attribute(network(second), torch.rand(1, 3, 8, 8), 0, "guided_backprop").shape == (1, 8, 8)


class Checkpointed(nn.Module):
    """A network whose middle block is checkpointed."""

    def __init__(self, reentrant, on=True):
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 2)
        self.block = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.reentrant, self.on = reentrant, on

    def forward(self, x):
        x = self.stem(x)
        x = checkpoint(self.block, x, use_reentrant=self.reentrant) if self.on else self.block(x)
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize("reentrant", [False, True], ids=["", "reentrant"])
@pytest.mark.parametrize(
    "look",
    [
        lambda network, x: grad_cam(network, x, 0),
        lambda network, x: attribute(network, x, 0, "saliency"),
        lambda network, x: torch.from_numpy(effective_receptive_field(network, x).map),
        lambda network, x: torch.tensor(int(theoretical_receptive_field(network))),
    ],
    ids=["grad_cam", "saliency", "effective field", "theoretical field"],
)
def test_activation_checkpointing_changes_no_gradient(look, reentrant):
    checkpointed, x = Checkpointed(reentrant), torch.rand(1, 3, 16, 16)
    plain = Checkpointed(reentrant, on=False)
    plain.load_state_dict(checkpointed.state_dict())
    assert torch.equal(look(checkpointed, x), look(plain, x))
