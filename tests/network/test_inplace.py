"""Overwriting feature maps in training: same results, and only where no hook, trace or compiler observes them."""

import warnings

import pytest
import torch
from torch import nn
from torch.fx import symbolic_trace
from torch.nn import functional as F

from ablation import RESNET50, build, roadmap
from ablation.network.inplace import InplaceSequential, activate, can_overwrite
from tests.laws import randomise

RUNGS = roadmap("resnet50", width_divisor=8)


@pytest.fixture
def overwrites(monkeypatch):
    """Record the maps that an activation overwrote."""
    calls = []
    real = F.relu_
    monkeypatch.setattr(F, "relu_", lambda x: calls.append(x) or real(x))
    return calls


@pytest.mark.parametrize("rung", RUNGS, ids=lambda rung: rung.name)
def test_gradients_are_bitwise_the_same_with_and_without_hooks(rung):
    network, x = randomise(build(rung.architecture, num_classes=5)).train(), torch.randn(2, 3, 64, 64)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def gradients() -> list[torch.Tensor]:
        network.load_state_dict(state)
        network.zero_grad()
        network(x).square().sum().backward()
        return [parameter.grad.clone() for parameter in network.parameters()]

    without_hooks = gradients()
    for module in network.modules():
        module.register_forward_hook(lambda *_: None)
    assert all(torch.equal(a, b) for a, b in zip(without_hooks, gradients(), strict=True))


def test_maps_are_overwritten_only_in_training_and_without_hooks(overwrites):
    network, x = build(RESNET50.replace(width=8), num_classes=5), torch.randn(2, 3, 64, 64)
    relus = [module for module in network.modules() if isinstance(module, nn.ReLU)]
    network.train()(x)
    assert len(overwrites) == len(relus) == 49
    overwrites.clear()
    network.eval()(x)
    assert not overwrites
    network.train()
    for relu in relus:
        relu.register_forward_pre_hook(lambda *_: None)
    network(x)
    assert not overwrites, "the hooks observe the inputs"


def test_no_map_is_overwritten_with_a_global_hook(overwrites):
    network = build(RESNET50.replace(width=8), num_classes=5).train()
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    try:
        network(torch.randn(2, 3, 64, 64))
    finally:
        handle.remove()
    assert not overwrites


def test_no_map_is_overwritten_in_a_trace(overwrites):
    layers = InplaceSequential(nn.BatchNorm2d(3), nn.ReLU()).train()
    traced = symbolic_trace(layers)
    assert [node.op for node in traced.graph.nodes].count("call_module") == 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch deprecates torch.jit.trace, and every trace warns about branches
        torch.jit.trace(layers, torch.randn(2, 3, 4, 4), check_trace=False)
    assert not overwrites


def test_only_a_plain_relu_after_batch_normalisation_overwrites(overwrites):
    x = torch.randn(2, 3, 4, 4)
    original = x.clone()
    for first in (nn.Identity(), nn.Flatten(0, 0)):
        InplaceSequential(first, nn.ReLU()).train()(x)
    InplaceSequential(nn.BatchNorm2d(3), nn.GELU()).train()(x)
    activate(nn.ReLU6().train(), x)
    assert not overwrites and torch.equal(x, original)
    assert can_overwrite(x, nn.ReLU()) and not can_overwrite(x, nn.ReLU().eval())
