"""Counting any module: the paper's products and nothing else, errors instead of silent zeros, nothing changed."""

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from ablation import RESNET50, AblationError, build, convnext, cost, count
from ablation.design import published
from tests.exact import SWIN


@pytest.mark.parametrize("name", SWIN)
def test_swin(name):
    counted = count(timm.create_model(name))
    assert (counted.params, counted.macs) == SWIN[name]
    assert counted.macs / 1e9 == pytest.approx(published.SWIN[name].gflops, abs=0.01), "the paper prints 4.50 and 15.43"


@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny"])
def test_timm_s_ends_cost_what_ours_do(name):
    ours = cost(convnext("tiny") if name == "convnext_tiny" else RESNET50)
    counted = count(timm.create_model(name))
    assert (counted.params, counted.macs) == (ours.params, ours.macs)


def test_operators_and_modules_add_up():
    counted = count(build(convnext("atto")), size=64)
    assert sum(counted.by_operator.values()) == counted.by_module[""] == counted.macs
    assert counted.by_module["stages.0"] < counted.macs
    assert counted.uncounted["aten::layer_norm"] > 0, "norms are listed, not counted"
    assert all(isinstance(macs, int) for macs in counted.by_module.values())


class Applies(nn.Module):
    """A function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_attention_products_are_counted_fused_or_not():
    def fused(x):
        tokens = x.flatten(2).transpose(1, 2)  # (1, 16, 8)
        return F.scaled_dot_product_attention(tokens, tokens, tokens)

    def plain(x):
        tokens = x.flatten(2).transpose(1, 2)
        return (tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens

    expected = 2 * 16 * 16 * 8
    assert count(Applies(fused), size=4, in_chans=8).macs == expected
    assert count(Applies(plain), size=4, in_chans=8).macs == expected


@pytest.mark.parametrize(
    ("product", "macs"),
    [
        (lambda x: x @ x, 3 * 4 * 4 * 4),
        (lambda x: x[0, 0] @ x[0, 0], 4 * 4 * 4),
        (lambda x: x[0, 0] @ x[0, 0, 0], 4 * 4),
        (lambda x: x[0, 0, 0] @ x[0, 0, 0], 4),
        (lambda x: x @ x[0, 0, 0], 3 * 4 * 4),
        (lambda x: torch.einsum("nchw,nkhw->nck", x, x), 3 * 3 * 16),
    ],
    ids=["stack", "matrices", "matrix and vector", "vectors", "stack and vector", "einsum"],
)
def test_products_of_any_shape(product, macs):
    assert count(Applies(product), size=4).macs == macs


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Flatten(), nn.LSTM(48, 4)),
        nn.Sequential(nn.Flatten(2), nn.TransformerEncoderLayer(16, 4, dropout=0.0, batch_first=True)),
        Applies(lambda x: torch.baddbmm(x[0], x[0], x[0])),
        Applies(lambda x: F.bilinear(x, x, torch.ones(2, 4, 4))),
    ],
    ids=["lstm", "fused transformer", "baddbmm", "bilinear"],
)
def test_a_product_without_a_rule_is_an_error(module):
    with pytest.raises(AblationError, match="no rule to count"):
        count(module, size=4)


def test_a_custom_function_is_an_error():
    class Hidden(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x @ x

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    with pytest.raises(AblationError, match="no rule to count"):
        count(Applies(Hidden.apply), size=4)


def test_elementwise_operators_are_listed_quietly(recwarn):
    counted = count(nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU(), nn.Upsample(scale_factor=2, mode="bilinear")), size=4)
    assert counted.macs == 3 * 4 * 16
    assert {"aten::gelu", "aten::upsample_bilinear2d"} <= set(counted.uncounted)
    assert not recwarn.list


def test_counting_changes_nothing():
    network = build(convnext("atto"), num_classes=4)
    network.stages[1].eval()
    modes = [module.training for module in network.modules()]
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count(network, size=64)
    assert [module.training for module in network.modules()] == modes
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    with pytest.raises(AblationError, match="could not be run on an image of 3 x 16 x 16"):
        count(network, size=16)
    assert [module.training for module in network.modules()] == modes, "also when the network fails"


def test_dtype_of_the_module_is_kept():
    network = build(convnext("atto"), num_classes=4).double()
    assert count(network, size=64).macs == cost(convnext("atto"), size=64, num_classes=4).macs
    assert next(network.parameters()).dtype == torch.float64
