"""The fast gradient of depthwise kernels: correctness, and the conditions under which it is used."""

import itertools
import warnings

import pytest
import torch
from torch import nn

from ablation import build, convnext
from ablation.network import depthwise
from ablation.network.depthwise import DepthwiseConv2d

CASES = [
    (k, stride, size, bias)
    for k, stride, size, bias in itertools.product((3, 5, 7), (1, 2), ((1, 1), (2, 2), (2, 3), (4, 6)), (True, False))
    if min(size) < k
]


@pytest.fixture
def correlations(monkeypatch):
    """Record the calls of the fast gradient."""
    calls = []
    real = depthwise._kernel_gradient
    monkeypatch.setattr(depthwise, "_kernel_gradient", lambda *args: calls.append(args) or real(*args))
    return calls


@pytest.mark.parametrize(("k", "stride", "size", "bias"), CASES)
def test_gradients_are_those_of_conv2d(correlations, k, stride, size, bias):
    torch.manual_seed(0)
    ours = DepthwiseConv2d(3, k, stride, bias).double()
    plain = nn.Conv2d(3, 3, k, stride, padding=k // 2, groups=3, bias=bias).double()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    results = []
    for conv in (ours, plain):
        out = conv(x)
        upstream = torch.randn(out.shape, dtype=out.dtype, generator=torch.Generator().manual_seed(1))
        results.append([out, *torch.autograd.grad(out, [x, *conv.parameters()], upstream)])
    assert len(correlations) == 1
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_second_derivatives():
    conv = DepthwiseConv2d(2, 5).double()
    x = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)

    def called(x, weight, bias):
        return torch.func.functional_call(conv, {"weight": weight, "bias": bias}, (x,))

    weights = [parameter.detach().requires_grad_() for parameter in conv.parameters()]
    assert torch.autograd.gradgradcheck(called, (x, *weights))


def backward(conv, x):
    conv(x).square().sum().backward()


def test_used_only_in_training_on_maps_smaller_than_the_kernel(correlations):
    conv, small, large = DepthwiseConv2d(4, 7), torch.randn(2, 4, 6, 6), torch.randn(2, 4, 7, 7)
    backward(conv, large)
    backward(conv.eval(), small)
    with torch.autocast("cpu", torch.bfloat16):
        out = conv.train()(small)
    out.float().sum().backward()
    assert not correlations
    backward(conv, small)
    assert len(correlations) == 1


def test_traces_record_a_convolution():
    conv, x = DepthwiseConv2d(4, 7).train(), torch.randn(2, 4, 2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch deprecates torch.jit.trace
        graph = torch.jit.trace(conv, x, check_trace=False).inlined_graph
    assert any("convolution" in node.kind() for node in graph.nodes())
    exported = torch.export.export(conv, (x,)).graph
    assert any("conv2d" in str(node.target) for node in exported.nodes)


def test_function_transforms_and_forward_derivatives(correlations):
    conv, x = DepthwiseConv2d(4, 7).train(), torch.randn(3, 2, 4, 2, 2)
    weights = {name: parameter.detach() for name, parameter in conv.named_parameters()}

    def loss(weights, x):
        return torch.func.functional_call(conv, weights, (x,)).square().sum()

    gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, x)
    with torch.autograd.forward_ad.dual_level(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch compiles its own rules with a deprecated function
        conv(torch.autograd.forward_ad.make_dual(x[0], x[0]))
    _, tangent = torch.func.jvp(lambda x: loss(weights, x), (x[0],), (x[0],))
    assert correlations
    backward(conv, x[0])  # still works after the transforms
    for i, images in enumerate(x):
        torch.testing.assert_close(gradients["weight"][i], torch.func.grad(loss)(weights, images)["weight"])
    (gradient,) = torch.autograd.grad(loss(weights, leaf := x[0].clone().requires_grad_()), leaf)
    torch.testing.assert_close(tangent, (gradient * x[0]).sum())


def test_gradients_of_a_network_are_the_same_without_it(correlations, monkeypatch):
    torch.manual_seed(0)
    network = build(convnext("atto").replace(width=8, stem_stride=1), num_classes=5, in_chans=1).double().train()
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)

    def gradients():
        network.zero_grad()
        network(x).square().sum().backward()
        return [parameter.grad for parameter in network.parameters()]

    fast = gradients()
    assert len(correlations) == sum(network.architecture.depths[1:]), "the stages of 4 x 4 positions and fewer"
    monkeypatch.setattr(depthwise, "_is_small", lambda x, weight: False)
    for ours, plain in zip(fast, gradients(), strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-12)
