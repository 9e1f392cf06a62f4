"""Compiled networks and stages: one graph each, with a GPU's products too, and the same gradients."""

import pytest
import torch
from torch import nn

from ablation import RESNET50, build, convnext
from ablation.network import accelerator
from tests.laws import randomise

SMALL = {"depths": (1, 1, 1, 1), "width": 8}
NETWORKS = {
    "resnet": RESNET50.replace(**SMALL),
    "convnext": convnext("atto").replace(**SMALL, layer_scale=0.5),
    "between": RESNET50.replace(**SMALL, depthwise=True, kernel_size=7, norm="layer", activation="gelu"),
}


def check_is_one_graph(module: nn.Module, x: torch.Tensor, bf16: bool) -> int:
    """Compile a module, compare its output and gradients, and return the matrix products of its only graph."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    def run(module):
        torch.manual_seed(0)  # stochastic depth
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            output = module(x)
        return [output, *torch.autograd.grad(output.float().square().sum(), list(module.parameters()))]

    torch.compiler.reset()
    compiled, eager = run(torch.compile(module, backend=backend, fullgraph=True)), run(module)
    for actual, expected in zip(compiled, eager, strict=True):
        # On small maps, training that is not compiled computes 1x1 convolutions as products: the same up to rounding.
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)
    (graph,) = graphs
    return sum("linear" in str(node.target) for node in graph.graph.nodes)


@pytest.mark.parametrize(
    ("name", "on_gpu", "bf16", "products"),
    [
        ("resnet", False, False, 0),
        ("convnext", False, True, 0),
        ("convnext", True, True, 2),
        ("between", True, True, 2),
        ("between", True, False, 0),  # in float32, convolutions use TF32 by default and products do not
    ],
)
def test_a_stage_is_one_graph(monkeypatch, name, on_gpu, bf16, products):
    if on_gpu:
        monkeypatch.setattr(accelerator, "on_accelerator", lambda x: True)
    network = (
        randomise(build(NETWORKS[name], num_classes=5, drop_path=0.2)).to(memory_format=torch.channels_last).train()
    )
    x = torch.randn(4, network.architecture.out_channels[0], 8, 8).to(memory_format=torch.channels_last)
    assert check_is_one_graph(network.stages[1], x, bf16) == products


def test_a_network_is_one_graph(monkeypatch):
    monkeypatch.setattr(accelerator, "on_accelerator", lambda x: True)
    network = build(NETWORKS["convnext"], num_classes=5, drop_path=0.2).to(memory_format=torch.channels_last).train()
    x = torch.randn(2, 3, 32, 32).to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        explained = torch._dynamo.explain(network)(x)
    assert explained.graph_break_count == 0, explained.break_reasons
