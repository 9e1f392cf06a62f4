"""What a GPU computes differently, forced on the CPU: same results, and only where nothing observes it."""

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ablation import RESNET50, build, convnext, count, roadmap
from ablation.network import accelerator, inplace
from ablation.network.blocks import Block
from ablation.network.layers import LayerNorm2d
from tests.laws import randomise

SMALL = {"depths": (1, 1, 1, 1), "width": 8}
RUNGS = {rung.name: rung.architecture.replace(**SMALL) for rung in roadmap("resnet50")}
LAYER_SCALE = convnext("atto").replace(**SMALL, layer_scale=0.5)
NETWORKS = {**RUNGS, "layer scale": LAYER_SCALE, "layer norm alone": RESNET50.replace(**SMALL, norm="layer")}


@pytest.fixture
def products(monkeypatch):
    """Compute as on a GPU, and record each product: the convolution and the layer scale in it."""
    calls: list[tuple[nn.Module, nn.Module | None]] = []
    real = inplace.multiply
    monkeypatch.setattr(accelerator, "on_accelerator", lambda x: True)
    monkeypatch.setattr(accelerator, "_same_tf32", lambda: True)
    monkeypatch.setattr(inplace, "multiply", lambda conv, x, scale: calls.append((conv, scale)) or real(conv, x, scale))
    return calls


def images(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    return x.to(memory_format=torch.channels_last)


def results(network: nn.Module, x: Tensor) -> list[Tensor]:
    """Return the logits and the gradients of all parameters."""
    logits = network(x)
    return [logits, *torch.autograd.grad(logits.float().square().sum(), list(network.parameters()))]


def without_products(monkeypatch: pytest.MonkeyPatch, run: Callable[[], Any]) -> Any:
    with monkeypatch.context() as context:
        context.setattr(accelerator, "on_accelerator", lambda x: False)
        return run()


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_those_of_convolutions(products, monkeypatch, name):
    a = NETWORKS[name]
    network = randomise(build(a, num_classes=5).double()).to(memory_format=torch.channels_last).train()
    x = images(4, 3, 32, 32, dtype=torch.float64)
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    ours = results(network, x)
    blocks = [part for part in network.modules() if isinstance(part, Block)]
    pointwise = [conv for part in blocks for conv in part.branch if getattr(conv, "kernel_size", 0) == (1, 1)]
    assert [conv for conv, _ in products] == [conv for conv in pointwise if conv.bias is not None]
    gradients = dict(zip(network.parameters(), ours[1:], strict=True))
    for conv, _ in products:
        assert gradients[conv.weight].stride() == conv.weight.stride(), "DDP warns about others"
    network.load_state_dict(state)
    for actual, expected in zip(ours, without_products(monkeypatch, lambda: results(network, x)), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())


@pytest.mark.parametrize("name", ["bn_to_ln", "layer scale", "layer norm alone"])
def test_in_bf16_errors_are_not_larger(products, monkeypatch, name):
    network = randomise(build({**NETWORKS, "bn_to_ln": LAYER_SCALE.replace(layer_scale=None)}[name], num_classes=5))
    network, x = network.to(memory_format=torch.channels_last), images(4, 3, 32, 32)
    exact = without_products(monkeypatch, lambda: results(network, x))

    def error() -> float:
        with torch.autocast("cpu", torch.bfloat16):
            rounded = results(network, x)
        return sum(((a - b).norm() / b.norm()).item() for a, b in zip(rounded, exact, strict=True)) / len(exact)

    ours, theirs = error(), without_products(monkeypatch, error)
    assert products and ours < 1.5 * theirs < 0.3


def make_block(layer_scale: float | None = 0.5) -> Block:
    block = randomise(Block(LAYER_SCALE.replace(layer_scale=layer_scale), 8, 8, 8, drop_path=0.1)).eval()
    return block.to(memory_format=torch.channels_last)


def test_layer_scale_is_part_of_the_product_before_it(products):
    block = make_block()
    block(images(2, 8, 8, 8))
    assert products == [(block.branch.conv2, None), (block.branch.conv3, block.branch.scale)]
    products.clear()
    block(images(1, 8, 2, 2))  # fewer positions than weights a channel
    assert products == [(block.branch.conv2, None), (block.branch.conv3, None)]


def test_in_float16_layer_scale_is_kept_apart(products, monkeypatch):
    block, x = make_block(), images(2, 8, 8, 8)
    with torch.no_grad():
        block.branch.scale.gamma.fill_(1e-6)
    with torch.autocast("cpu", torch.float16):
        branch = block.branch(x)
        expected = without_products(monkeypatch, lambda: block.branch(x))
    assert [scale for _, scale in products] == [None, None] and branch.abs().max() > 1e-7
    torch.testing.assert_close(branch, expected, rtol=0.05, atol=1e-8)


@pytest.mark.parametrize("layer_scale", [0.5, None])
def test_the_sum_has_the_precision_that_it_has_without_products(products, monkeypatch, layer_scale):
    block = make_block(layer_scale)
    for x in (images(2, 8, 8, 8), images(2, 8, 8, 8, dtype=torch.bfloat16)):
        with torch.autocast("cpu", torch.bfloat16):
            actual, expected = block(x), without_products(monkeypatch, lambda x=x: block(x))
        assert actual.dtype == expected.dtype == (torch.float32 if layer_scale else x.dtype)


def test_normalisation_keeps_the_precision_of_its_input_under_autocast(products):
    norm, x = LayerNorm2d(8), images(2, 8, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert norm(x).dtype == torch.float32
        low = norm(x.bfloat16())
    assert low.dtype == torch.bfloat16 and low.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(low.float(), norm(x), rtol=0.05, atol=0.05)


HOOKS: dict[str, Callable[[nn.Module, Callable[..., None]], Any]] = {
    "forward": nn.Module.register_forward_hook,
    "forward pre": nn.Module.register_forward_pre_hook,
    "backward": nn.Module.register_full_backward_hook,
    "backward pre": nn.Module.register_full_backward_pre_hook,
    "replaced forward": lambda module, call: setattr(module, "forward", Observed(module.forward, call)),
    "global": lambda module, call: nn.modules.module.register_module_forward_hook(call),
}


class Observed:
    """A forward method put in the place of a module's own, as accelerate does."""

    def __init__(self, forward: Callable[..., Tensor], call: Callable[..., None]) -> None:
        self.forward, self.call = forward, call

    def __call__(self, x: Tensor) -> Tensor:
        self.call(x)
        return self.forward(x)


@pytest.mark.parametrize("kind", HOOKS)
@pytest.mark.parametrize("name", ["conv2", "conv3", "scale"])
def test_an_observed_layer_runs_as_a_module(products, kind, name):
    block, fired = make_block(), []
    observed = block.branch.get_submodule(name)
    handle = HOOKS[kind](observed, lambda *_: fired.append(name))
    try:
        block(images(2, 8, 8, 8).requires_grad_()).sum().backward()
    finally:
        if kind == "global":
            handle.remove()
    assert fired and observed not in [module for call in products for module in call]
    everything = {block.branch.conv2, block.branch.conv3}
    assert {conv for conv, _ in products} == (set() if kind == "global" else everything - {observed})


@pytest.mark.parametrize(
    "change",
    [
        lambda block, x: x.contiguous(),
        lambda block, x: block.branch.conv2.register_parameter("bias", None) or x,
        lambda block, x: setattr(block.branch.conv2, "stride", (2, 2)) or x,
        lambda block, x: torch.nn.utils.parametrizations.weight_norm(block.branch.conv2) and x,
    ],
    ids=["contiguous", "no bias", "stride", "parametrised"],
)
def test_other_layers_are_convolutions(products, change):
    block = make_block()
    x = change(block, images(2, 8, 8, 8))
    inplace.InplaceSequential(block.branch.conv2)(x)
    assert not products


@pytest.mark.parametrize("matmul", ["tf32", "ieee", "none"])
@pytest.mark.parametrize("conv", ["tf32", "ieee", "none"])
def test_in_float32_products_are_used_at_the_precision_of_convolutions(monkeypatch, matmul, conv):
    monkeypatch.setattr(accelerator, "on_accelerator", lambda x: True)
    pointwise, x = nn.Conv2d(8, 8, 1), images(2, 8, 4, 4)
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    before = [backend.fp32_precision for backend in backends]
    try:
        for backend, value in zip(backends, (matmul, conv), strict=True):
            backend.fp32_precision = value
        assert accelerator.is_product(pointwise, x) == ((matmul == "tf32") == (conv == "tf32"))
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.fp32_precision = value
    assert torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32, "the settings are as before"
    with torch.autocast("cpu", torch.bfloat16):
        assert accelerator.is_product(pointwise, x)
    assert accelerator.is_product(pointwise, x.bfloat16())


def test_nothing_changes_on_the_cpu():
    conv, x = nn.Conv2d(8, 8, 1), images(2, 8, 4, 4, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert not accelerator.is_product(conv, x) and not accelerator.keeps_precision(x)


def test_counts_are_the_same(products, monkeypatch):
    network = build(LAYER_SCALE, num_classes=5).to(memory_format=torch.channels_last)
    actual, expected = count(network, size=64), without_products(monkeypatch, lambda: count(network, size=64))
    assert actual == expected and all(row.fvcore == row.torch and not row.reason for row in actual.cross_check())


def test_traces_record_convolutions(products):
    block, x = make_block(), images(2, 8, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch deprecates torch.jit.trace
        graph = torch.jit.trace(block, x, check_trace=False).inlined_graph
    exported = torch.export.export(block, (x,)).graph
    assert sum("convolution" in node.kind() for node in graph.nodes()) == 3
    assert sum("conv2d" in str(node.target) for node in exported.nodes) == 3
    assert not products


def test_function_transforms(products, monkeypatch):
    block = make_block().double()
    x = torch.randn(3, 2, 8, 8, 8, dtype=torch.float64).transpose(2, 4)  # channels-last for each of three
    weights = {name: parameter.detach() for name, parameter in block.named_parameters()}

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(block, weights, (x,)).square().sum()

    def transformed() -> list[Tensor]:
        gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, x)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch compiles its own rules with a deprecated function
            tangent = torch.func.jvp(lambda x: loss(weights, x), (x[0],), (x[0],))[1]
        return [*gradients.values(), tangent]

    ours = transformed()
    assert len(products) == 4 and products[1] == (block.branch.conv3, block.branch.scale)
    for actual, expected in zip(ours, without_products(monkeypatch, transformed), strict=True):
        torch.testing.assert_close(actual, expected)
