"""A strided 1x1 convolution takes the way around oneDNN's fault where it must, and is the same function."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ablation.network.pointwise import PointwiseConv2d


@pytest.mark.parametrize("channels", [3, 4, 12, 16])
@pytest.mark.parametrize("size", [(6, 6), (5, 7), (1, 1)])
def test_it_is_the_same_function(channels, size):
    torch.manual_seed(0)
    ours = PointwiseConv2d(channels, 8, stride=2, bias=False).double()
    plain = nn.Conv2d(channels, 8, 1, stride=2, bias=False).double()
    plain.load_state_dict(ours.state_dict())
    x = torch.randn(2, channels, *size, dtype=torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    results = []
    for conv in (ours, plain):
        out = conv(x)
        results.append([out, *torch.autograd.grad(out.square().sum(), [x, conv.weight])])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("channels", "stride", "ours"), [(15, 2, True), (16, 2, False), (15, 1, False)])
def test_only_for_few_channels_and_a_stride(monkeypatch, channels, stride, ours):
    conv, strides = PointwiseConv2d(channels, 4, stride), []
    real = nn.functional.conv2d
    monkeypatch.setattr(
        nn.functional, "conv2d", lambda *args: strides.append(args[3] if len(args) > 3 else None) or real(*args)
    )
    x = torch.randn(2, channels, 4, 4)
    assert conv(x).shape == (2, 4, 4 // stride, 4 // stride)
    assert strides == [None if ours else (stride, stride)]
    with torch.no_grad():
        conv(x)
    assert strides[1:] == [(stride, stride)], "only where a gradient may follow"


@pytest.mark.parametrize("channels", [4, 12])
def test_the_gradient_is_right_and_the_process_survives_it(channels):
    """With `nn.Conv2d` in its place this dies, or is wrong, where oneDNN has the fault: at 4 channels with AVX2."""
    program = (
        "import torch\n"
        "from ablation.network.pointwise import PointwiseConv2d\n"
        "torch.set_num_threads(1)\n"
        f"conv = PointwiseConv2d({channels}, 8, stride=2, bias=False)\n"
        "for _ in range(50):\n"
        f"    x = torch.randn(64, {channels}, 32, 32).to(memory_format=torch.channels_last)\n"
        "    (got,) = torch.autograd.grad(conv(x).square().sum(), conv.weight)\n"
        "twice = conv.double()\n"
        "(right,) = torch.autograd.grad(twice(x.double()).square().sum(), twice.weight)\n"
        "print(((got - right).abs().max() / right.abs().max()).item())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr}"
    assert float(done.stdout) < 1e-4
