"""The workaround for oneDNN's bug in strided 1x1 convolutions: same function, and used only where necessary."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from ablation.network.pointwise import PointwiseConv2d


@pytest.mark.parametrize("channels", [3, 4, 12, 16])
@pytest.mark.parametrize("size", [(6, 6), (5, 7), (1, 1)])
def test_outputs_and_gradients_are_those_of_conv2d(channels, size):
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
