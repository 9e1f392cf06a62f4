"""Torch's counter serves where fvcore cannot import or trace, with the reason; where neither can, one message."""

import importlib
import sys

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from ablation import AblationError, breakdown, count
from ablation.measure import fvcore_trace
from ablation.measure.counting_rules import PRODUCT
from ablation.measure.torch_counter import torch_count
from tests.measure.networks import Applies
from tests.untouched import untouched


@pytest.fixture
def without_fvcore(monkeypatch):
    """Import the module that traces as on a machine where torch no longer has what fvcore needs."""
    monkeypatch.setitem(sys.modules, "fvcore.nn.jit_analysis", None)
    importlib.reload(fvcore_trace)
    # `counting` holds the classes of before: the functions it calls see the reloaded module's globals.
    monkeypatch.setattr("ablation.measure.counting.TraceError", fvcore_trace.TraceError)
    yield
    monkeypatch.undo()
    importlib.reload(fvcore_trace)
    counting = importlib.import_module("ablation.measure.counting")
    counting.TraceError, counting.trace = fvcore_trace.TraceError, fvcore_trace.trace


class Everything(nn.Module):
    """Has each family of operators, in modules and outside of them."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 2, stride=2), nn.BatchNorm2d(8), nn.ReLU())
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(8, 12), nn.GELU(), nn.Linear(12, 8, bias=False))

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)  # (N, 16, 8)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        x = self.mlp(x)
        outer = torch.einsum("nld,k->ndk", x, torch.ones(2))
        return x @ x[0, 0] + outer.sum()


def test_both_counters_give_the_same_numbers(without_fvcore):
    by_torch = count(Everything(), size=8)
    assert by_torch.counter == "torch" and "fvcore could not be imported (ModuleNotFoundError" in by_torch.reason
    assert by_torch.cross_check() == ()


def test_the_numbers_of_torchs_counter():
    network = Everything().eval()
    traced = count(network, size=8)
    with torch.no_grad():
        found = torch_count(network, torch.zeros(1, 3, 8, 8))
    assert traced.counter == "fvcore"
    conv, attention, mlp = 16 * 8 * 12, 16 * 8 * 32 + 2 * 16 * 16 * 8, 2 * 16 * 8 * 12
    assert traced.macs == sum(found.by_operator.values()) == conv + attention + mlp + 8 * 2 + 16 * 8
    assert found.by_module["attention"] == attention and found.by_module["mlp.2"] == 16 * 8 * 12
    assert found.activations == traced.activations == 16 * (8 + 24 + 8 + 12 + 8)
    assert {name: found.by_module[name] for name in found.by_module if "out_proj" not in name} == {
        name: macs for name, macs in traced.by_module.items() if "out_proj" not in name
    }
    assert {"native_batch_norm", "gelu"} <= set(found.uncounted) and not found.missing


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet10t", {}),
        ("vit_tiny_patch16_224", {"img_size": 64, "depth": 2}),
        ("convnext_atto", {"depths": (1, 1, 1, 1)}),
    ],
)
def test_networks_by_torchs_counter(name, options, monkeypatch):
    network = timm.create_model(name, **options)
    size = 64
    traced = count(network, size)
    monkeypatch.setattr(fvcore_trace, "JitModelAnalysis", None)
    by_torch = count(network, size)
    assert by_torch.counter == "torch"
    assert (by_torch.macs, by_torch.params, by_torch.activations) == (traced.macs, traced.params, traced.activations)
    assert by_torch.by_module == traced.by_module


class Words(nn.Module):
    """Outputs something that the tracer refuses."""

    def __init__(self, product=None):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.product = product or (lambda x: x)

    def forward(self, x):
        return {"map": self.product(self.conv(x)), "name": torch.device("cpu")}


def test_what_cannot_be_traced_is_counted_by_torch_and_left_unchanged():
    network = Words().train()
    with untouched(network):
        counted = count(network, size=4)
    assert (counted.macs, counted.activations, counted.counter) == (3 * 4 * 16, 4 * 16, "torch")
    assert counted.reason.startswith("fvcore could not trace it (")
    assert counted.by_operator == {"convolution": 192} and counted.by_module == {"": 192, "conv": 192}
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in network.modules()), (
        "fvcore leaves its hooks"
    )
    assert breakdown_macs(network) == 192


def breakdown_macs(network):
    return sum(share.macs for share in breakdown(network, size=4, batch=1, samples=1))


def test_weights_that_the_tracer_cannot_hold():
    layer = nn.Linear(8, 2)
    counted = count(Applies(lambda x: F.linear(x, layer.weight)), size=8)
    assert (counted.macs, counted.counter) == (3 * 8 * 8 * 2, "torch")
    assert "requires grad" in counted.reason


@pytest.mark.parametrize(
    ("product", "operator"),
    [(lambda x: torch.cdist(x, x), "_cdist"), (lambda x: torch.fft.fft2(x).real, "fft")],
    ids=["cdist", "fft"],
)
def test_where_both_fail_there_is_one_message(product, operator):
    message = (
        f"Words runs but fvcore could not trace it .* torch's own counter has no rule for .*{operator}.*, so its MACs"
    )
    with pytest.raises(AblationError, match=message):
        count(Words(product), size=4)


@pytest.mark.parametrize(
    "name", ["aten::mm", "aten::conv_tbc", "mylib::anything", "aten::_trilinear", "aten::bilinear"]
)
def test_names_of_products(name):
    assert PRODUCT.search(name)


@pytest.mark.parametrize("name", ["aten::upsample_bilinear2d", "aten::gelu", "aten::linalg_vector_norm", "aten::add"])
def test_names_of_other_operators(name):
    assert not PRODUCT.search(name)
