"""Networks on a GPU against timm's: logits and gradients in float32 and bf16, and one graph when compiled."""

from collections.abc import Iterator

import pytest
import timm
import torch
from torch import Tensor, nn

from ablation import build, to_timm
from ablation.network import inplace
from ablation.network.timm_weights import TIMM_MODELS
from tests.laws import randomise

pytestmark = pytest.mark.gpu


@pytest.fixture
def no_tf32() -> Iterator[None]:
    backends = (torch.backends.cuda.matmul, torch.backends.cudnn.conv)
    before = [backend.fp32_precision for backend in backends]
    for backend in backends:
        backend.fp32_precision = "ieee"
    yield
    for backend, value in zip(backends, before, strict=True):
        backend.fp32_precision = value


def pair(name: str) -> tuple[nn.Module, nn.Module]:
    """Return our network and timm's with the same weights, in evaluation mode, so that batch norms have the same statistics."""
    ours, theirs = randomise(build(TIMM_MODELS[name], num_classes=10)), timm.create_model(name, num_classes=10)
    theirs.load_state_dict(to_timm(ours))
    return tuple(network.cuda().to(memory_format=torch.channels_last).eval() for network in (ours, theirs))


def results(network: nn.Module, dtype: torch.dtype | None) -> list[Tensor]:
    """Return the logits and the gradient of the images, in float32."""
    x = torch.randn(8, 3, 96, 96, generator=torch.Generator().manual_seed(0)).cuda()
    x = x.to(memory_format=torch.channels_last).requires_grad_()
    network.zero_grad()
    with torch.autocast("cuda", dtype or torch.bfloat16, enabled=dtype is not None):
        logits = network(x)
    logits.float().square().sum().backward()
    norms = torch.stack([parameter.grad.norm() for parameter in network.parameters()]).sort().values
    return [logits.detach().float(), x.grad, norms]


def distance(given: list[Tensor], exact: list[Tensor]) -> float:
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(given, exact, strict=True))


@pytest.mark.parametrize(("name", "products"), [("convnext_tiny", 36), ("resnet50", 0)])
@pytest.mark.parametrize("dtype", [None, torch.bfloat16, torch.float16])
def test_logits_and_gradients_are_those_of_timm(no_tf32, monkeypatch, name, products, dtype):
    calls = []
    real = inplace.multiply
    monkeypatch.setattr(inplace, "multiply", lambda *args: calls.append(args) or real(*args))
    ours, theirs = pair(name)
    exact, rounded = results(theirs, None), results(theirs, dtype)
    found = results(ours, dtype)
    assert len(calls) == products
    assert distance(found, exact) < max(1e-3, 2 * distance(rounded, exact))


def test_a_compiled_network_is_one_graph_and_keeps_its_products(no_tf32):
    ours, _ = pair("convnext_tiny")
    compiled = torch.compile(ours, backend="eager", fullgraph=True)
    assert distance(results(compiled, torch.bfloat16), results(ours, torch.bfloat16)) < 0.02
