"""What replaces 1x1 convolutions on a CPU: same function, and used only where necessary."""

import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn

from ablation.network.pointwise import PointwiseConv2d


@pytest.fixture
def products(monkeypatch):
    """Record the shapes of all matrix products."""
    shapes, real = [], nn.functional.linear
    monkeypatch.setattr(nn.functional, "linear", lambda x, *args: shapes.append(tuple(x.shape)) or real(x, *args))
    return shapes


def maps(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype).to(memory_format=torch.channels_last).requires_grad_()


@pytest.mark.parametrize("channels", [3, 4, 12, 16])
@pytest.mark.parametrize("size", [(6, 6), (5, 7), (1, 1)])
@pytest.mark.parametrize(("stride", "bias"), [(2, False), (1, False), (1, True)])
def test_outputs_and_gradients_are_those_of_conv2d(products, channels, size, stride, bias):
    torch.manual_seed(0)
    ours = PointwiseConv2d(channels, 8, stride, bias).double().to(memory_format=torch.channels_last)
    plain = nn.Conv2d(channels, 8, 1, stride, bias=bias).double().to(memory_format=torch.channels_last)
    plain.load_state_dict(ours.state_dict())
    x = maps(2, channels, *size)
    results = []
    for conv in (ours, plain):
        out = conv(x)
        results.append([out, *torch.autograd.grad(out.square().sum(), [x, *conv.parameters()])])
    assert products == ([(2, *size, channels)] if stride == 1 else [])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12, check_stride=stride == 1)


def test_a_product_needs_a_small_map_in_channels_last_memory_and_training(products):
    conv, x = PointwiseConv2d(16, 8), maps(2, 16, 8, 8, dtype=torch.float32)
    conv(x)
    assert products == [(2, 8, 8, 16)]
    conv(maps(2, 16, 8, 9, dtype=torch.float32))
    conv(x.detach().contiguous())
    PointwiseConv2d(16, 8).eval()(x)
    with torch.no_grad():
        conv(x)
    with torch.autocast("cpu", torch.bfloat16):
        conv(x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch deprecates torch.jit.trace
        torch.jit.trace(conv, x, check_trace=False)
    assert len(products) == 1


@pytest.mark.parametrize(("channels", "stride", "is_used"), [(15, 2, True), (16, 2, False), (15, 1, False)])
def test_used_only_for_few_channels_and_a_stride(monkeypatch, channels, stride, is_used):
    conv, strides = PointwiseConv2d(channels, 4, stride), []
    real = nn.functional.conv2d
    monkeypatch.setattr(
        nn.functional, "conv2d", lambda *args: strides.append(args[3] if len(args) > 3 else None) or real(*args)
    )
    x = torch.randn(2, channels, 4, 4)
    assert conv(x).shape == (2, 4, 4 // stride, 4 // stride)
    assert strides == [None if is_used else (stride, stride)]
    with torch.no_grad():
        conv(x)
    assert strides[1:] == [(stride, stride)], "not used without gradients"


@pytest.mark.parametrize("channels", [4, 12])
def test_the_gradient_is_correct_and_the_process_does_not_crash(channels):
    """With `nn.Conv2d` instead, this crashes or is wrong where oneDNN has the bug: at 4 channels with AVX2."""
    program = (
        "import torch\n"
        "from ablation.network.pointwise import PointwiseConv2d\n"
        "torch.set_num_threads(1)\n"
        f"conv = PointwiseConv2d({channels}, 8, stride=2, bias=False)\n"
        "for _ in range(50):\n"
        f"    x = torch.randn(64, {channels}, 32, 32).to(memory_format=torch.channels_last)\n"
        "    (actual,) = torch.autograd.grad(conv(x).square().sum(), conv.weight)\n"
        "conv = conv.double()\n"
        "(expected,) = torch.autograd.grad(conv(x.double()).square().sum(), conv.weight)\n"
        "print(((actual - expected).abs().max() / expected.abs().max()).item())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    assert float(done.stdout) < 1e-4
