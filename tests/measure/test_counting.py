"""Counting any module: only the products that the paper counts, errors instead of silent zeros, no side effects."""

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

from ablation import RESNET50, AblationError, build, convnext, cost, count
from ablation.design import published
from ablation.measure import counting
from ablation.measure.counting import Comparison
from tests.exact import SWIN
from tests.measure.networks import Applies
from tests.untouched import untouched


@pytest.mark.parametrize("name", SWIN)
def test_swin(name):
    counted = count(timm.create_model(name))
    assert (counted.params, counted.macs) == SWIN[name]
    for row in counted.cross_check():
        assert (row.fvcore, row.reason) == (row.torch, ""), "attention too"
    assert counted.macs / 1e9 == pytest.approx(published.SWIN[name].gflops, abs=0.01), (
        "the paper reports 4.50 and 15.43"
    )


@pytest.mark.parametrize("name", ["resnet50", "convnext_tiny"])
def test_timm_models_have_the_same_counts_as_ours(name):
    ours = cost(convnext("tiny") if name == "convnext_tiny" else RESNET50)
    counted = count(timm.create_model(name))
    assert (counted.params, counted.macs) == (ours.params, ours.macs)


def test_operators_and_modules_sum_to_the_total():
    counted = count(build(convnext("atto")), size=64)
    assert sum(counted.by_operator.values()) == counted.by_module[""] == counted.macs
    assert counted.by_module["stages.0"] < counted.macs
    assert counted.uncounted["aten::layer_norm"] > 0, "norms are listed but not counted"
    assert all(isinstance(macs, int) for macs in counted.by_module.values())


def test_fused_and_unfused_attention_products_are_counted():
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
    "module",
    [
        nn.Sequential(nn.Flatten(), nn.LSTM(48, 4)),
        Applies(lambda x: torch.matrix_power(x, 3)),
        Applies(lambda x: F.bilinear(x, x, torch.ones(2, 4, 4))),
        Applies(lambda x: torch.fft.fft2(x).real),
    ],
    ids=["lstm", "matrix power", "bilinear", "fft"],
)
def test_a_product_without_a_rule_is_refused(module):
    with pytest.raises(AblationError, match="no rule to count"):
        count(module, size=4)


def test_a_custom_autograd_function_is_refused():
    class HiddenProduct(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x @ x

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    with pytest.raises(AblationError, match="no rule to count"):
        count(Applies(HiddenProduct.apply), size=4)


def test_elementwise_operators_are_listed_without_warnings(recwarn):
    counted = count(nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU(), nn.Upsample(scale_factor=2, mode="bilinear")), size=4)
    assert counted.macs == 3 * 4 * 16
    assert {"aten::gelu", "aten::upsample_bilinear2d"} <= set(counted.uncounted)
    assert not recwarn.list


def test_counting_leaves_the_network_unchanged():
    network = build(convnext("atto"), num_classes=4)
    network.stages[1].eval()
    modes = [module.training for module in network.modules()]
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count(network, size=64)
    assert [module.training for module in network.modules()] == modes
    assert all(parameter.grad is None for parameter in network.parameters())
    assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    with pytest.raises(AblationError, match=r"an image of 16 px is too small .* the smallest that works is 32 px"):
        count(network, size=16)
    assert [module.training for module in network.modules()] == modes, "even after an error"


def test_a_network_that_cannot_be_run_is_refused_and_unchanged():
    network = nn.Sequential(nn.Conv2d(3, 4, 9), nn.BatchNorm2d(4)).train()
    with untouched(network):
        assert count(network, size=9).macs == 3 * 4 * 81
        with pytest.raises(AblationError, match="Sequential could not be run on images of 3 x 8 x 8"):
            count(network, size=8)


def test_dtype_of_the_module_is_preserved():
    architecture = convnext("atto").replace(width=4, depths=(1, 1, 1, 1))
    network = build(architecture, num_classes=4).double()
    assert count(network, size=64).macs == cost(architecture, size=64, num_classes=4).macs
    assert next(network.parameters()).dtype == torch.float64


# tests/network/test_build.py compares both counters on both ladders, because it builds each rung anyway.
@pytest.mark.parametrize("architecture", [RESNET50.replace(width=8), convnext("atto")], ids=["resnet", "convnext"])
def test_both_counters_agree_exactly(architecture):
    counted, price = count(build(architecture), size=64), cost(architecture, size=64)
    convolutions, products = counted.cross_check()
    assert convolutions == Comparison("convolutions", counted.by_operator["conv"], counted.by_operator["conv"], "")
    assert products == Comparison("matrix products", counted.by_operator["linear"], counted.by_operator["linear"], "")
    assert convolutions.fvcore + products.fvcore == counted.macs == sum(counted.torch_by_operator.values())
    assert counted.activations == price.activations


def test_an_absent_family_of_operators_has_no_row():
    (row,) = count(nn.Conv2d(3, 4, 1), size=4).cross_check()
    assert (row.operators, row.fvcore, row.torch, row.reason) == ("convolutions", 192, 192, "")


def test_the_reason_is_given_if_torch_counts_less():
    (row,) = count(Applies(lambda x: x[0, 0] @ x[0, 0, 0]), size=4).cross_check()
    assert (row.operators, row.fvcore, row.torch) == ("matrix products", 16, 0)
    assert "a matrix times a vector" in row.reason


@pytest.mark.parametrize("operator", ["convolution", "addmm"])
def test_macs_missed_by_the_trace_are_refused(monkeypatch, operator):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(64, 2))
    torch_macs = {"convolution": 192, "addmm": 128}
    monkeypatch.setattr(counting, "torch_macs", lambda module, image: torch_macs)
    assert count(network, size=4).torch_by_operator == torch_macs
    torch_macs[operator] += 1
    with pytest.raises(AblationError, match=f"finds {torch_macs[operator]} MACs in .* of Sequential .* too low by 1"):
        count(network, size=4)


def test_flops_are_two_per_mac():
    counted = count(nn.Conv2d(3, 8, 3, padding=1), size=10)
    assert (counted.macs, counted.flops) == (21_600, 43_200)
    assert (counted.gmacs, counted.gflops) == (2.16e-5, 4.32e-5)


def test_activations_are_output_elements_of_convolutions_and_linear_layers():
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.ReLU(), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(32, 5)
    )
    assert count(network, size=9).activations == 8 * 16 + 8 * 4 + 5


@pytest.mark.parametrize(
    "activation",
    [nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.GELU(), nn.SiLU(), nn.Hardswish()],
    ids=["relu", "relu_", "relu6", "gelu", "silu", "hardswish"],
)
def test_activation_functions_are_listed_as_uncounted(activation):
    once = sum(count(nn.Sequential(nn.Conv2d(3, 4, 1), activation), size=4).uncounted.values())
    twice = count(nn.Sequential(nn.Conv2d(3, 4, 1), activation, nn.Conv2d(4, 4, 1), activation), size=4)
    assert once >= 1 and sum(twice.uncounted.values()) == 2 * once
    if isinstance(activation, nn.ReLU):
        assert sum(number for name, number in twice.uncounted.items() if name.startswith("aten::relu")) == 2


@pytest.mark.parametrize("make", [nn.ReLU, nn.Identity, lambda: nn.BatchNorm2d(3), lambda: nn.AvgPool2d(2)])
def test_a_network_without_products_is_refused(make):
    with pytest.raises(AblationError, match="no convolution, linear layer or attention product was found"):
        count(make(), size=4)


def with_compiled_part(compiled):
    return nn.Sequential(nn.Conv2d(3, 4, 1), compiled)


def compiled_in_place():
    module = nn.Conv2d(3, 4, 1)
    module.compile()
    return module


@pytest.mark.parametrize(
    ("make", "where"),
    [
        (lambda: torch.compile(nn.Conv2d(3, 4, 1)), "OptimizedModule is compiled"),
        (compiled_in_place, "Conv2d is compiled"),
        (lambda: with_compiled_part(torch.compile(nn.Conv2d(4, 4, 1))), "its part '1' is compiled"),
    ],
    ids=["torch.compile", "module.compile", "part"],
)
def test_compiled_modules_are_refused_with_a_remedy(make, where):
    with pytest.raises(AblationError, match=rf"{where}.*count the module before torch\.compile, .*_orig_mod"):
        count(make(), size=4)


def test_the_module_inside_a_compiled_one_can_be_counted():
    assert count(torch.compile(nn.Conv2d(3, 4, 1))._orig_mod, size=4).macs == 192


@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated")
@pytest.mark.parametrize(
    "script",
    [torch.jit.script, lambda part: torch.jit.trace(part, torch.zeros(1, 4, 4, 4))],
    ids=["scripted", "traced"],
)
def test_a_scripted_part_is_refused_with_a_remedy(script):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), script(nn.Conv2d(4, 4, 1)))
    with pytest.raises(AblationError, match=r"its part '1' is scripted, .*: count the module it was made from"):
        count(network, size=4)


def test_inference_mode_is_refused_with_a_remedy():
    with torch.inference_mode(), pytest.raises(AblationError, match=r"call it outside, or use torch\.no_grad"):
        count(nn.Conv2d(3, 4, 1), size=4)


def test_a_custom_operator_is_refused():
    @torch.library.custom_op("ablation_tests::double_product", mutates_args=())
    def double_product(x: torch.Tensor) -> torch.Tensor:
        return x @ x

    with pytest.raises(AblationError, match="no rule to count ablation_tests::double_product"):
        count(nn.Sequential(nn.Conv2d(3, 3, 1), Applies(double_product)), size=4)


def test_counting_works_with_gradients_on_or_off():
    with torch.no_grad():
        off = count(nn.Conv2d(3, 4, 1), size=4)
    assert off == count(nn.Conv2d(3, 4, 1), size=4)
