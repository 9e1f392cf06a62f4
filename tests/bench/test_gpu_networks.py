"""The GPU's bench, run small on the CPU."""

import io

import pytest
import torch
from rich.console import Console
from torch import nn

from tests.bench.gpu_networks import NETWORKS, bench_gpu_networks, pair


def small() -> tuple[nn.Module, nn.Module]:
    return tuple(nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()) for _ in range(2))


def test_rows_have_a_ratio_for_each_network_precision_and_mode():
    console = Console(width=120, file=io.StringIO())
    networks = {"one": small, "other": small}
    options = {"size": 8, "batch": 4, "device": "cpu", "networks": networks, "compiled": ("fp32",), "backend": "eager"}
    rows = bench_gpu_networks(2, console, **options)
    modes = [("bf16", "eager"), ("fp32", "eager"), ("fp32", "compiled")]
    expected = [(name, *mode) for name in networks for mode in modes]
    assert [(row["name"], row["precision"], row["mode"]) for row in rows] == expected
    for row in rows:
        assert set(row) == {"name", "precision", "mode", "ours_img_s", "timm_img_s", "ratio"}
        assert row["ours_img_s"] > 0 and row["timm_img_s"] > 0 and row["ratio"] > 0
    assert torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32, "the settings are as before"
    assert "TF32 is on for both" in console.file.getvalue()


def test_both_sides_compute_the_same():
    ours, theirs = (network.eval() for network in pair("convnext_atto"))
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-4, atol=1e-5)
    assert set(NETWORKS) == {"resnet50", "convnext_tiny"}


@pytest.mark.gpu
def test_on_a_gpu():
    options = {"size": 8, "batch": 4, "networks": {"small": small}, "precisions": ("bf16",), "compiled": ()}
    (row,) = bench_gpu_networks(2, Console(), **options)
    assert row["ratio"] > 0
