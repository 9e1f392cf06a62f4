"""Attribution has no side effects, even after an error, on module, gradients, hooks, random state and images."""

import copy
import warnings

import pytest
import torch
from torch import nn

from ablation.errors import AblationError
from ablation.measure.attribution import AttributionWarning, attribute
from ablation.measure.methods import METHODS
from tests.measure.networks import small_relu_net
from tests.untouched import untouched


class FailsAfter(nn.Module):
    """Works for a number of calls, then raises."""

    def __init__(self, calls):
        super().__init__()
        self.left = calls

    def forward(self, x):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("no more")
        return x


def state(module):
    tables = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return (
        [(part.training, getattr(part, "inplace", None)) for part in module.modules()],
        [[*getattr(part, table)] for part in module.modules() for table in tables],
        [(p.requires_grad, p.grad is None, p.detach().clone()) for p in module.parameters()],
        [buffer.clone() for buffer in module.buffers()],
    )


def assert_same(before, after):
    assert before[0] == after[0], "modes and flags"
    assert before[1] == after[1], "hooks"
    for (flag, no_grad, value), (flag_after, no_grad_after, value_after) in zip(before[2], after[2], strict=True):
        assert (flag, no_grad) == (flag_after, no_grad_after) and torch.equal(value, value_after)
    assert all(torch.equal(a, b) for a, b in zip(before[3], after[3], strict=True)), "buffers"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("calls", [10**6, 0, 1, 2, 3])
def test_module_is_unchanged_even_after_an_error(method, calls):
    model = small_relu_net()
    model.insert(4, FailsAfter(calls))
    model[3].eval()
    model[0].weight.requires_grad_(False)
    model[7].register_forward_hook(lambda part, inputs, output: None)
    before, original = state(model), copy.deepcopy(model)
    x = torch.rand(2, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AttributionWarning)
        try:
            attribute(model, x, None, method, steps=4, samples=2)
        except AblationError as error:
            assert calls < 10**6 and "no more" in str(error)
        except RuntimeError as error:  # captum calls the module directly, without our error handling
            assert calls < 10**6 and "no more" in str(error)
    assert_same(before, state(model))
    assert not x.requires_grad and x.grad is None
    assert torch.equal(original[0].weight, model[0].weight)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("calls", [10**6, 2])
@pytest.mark.filterwarnings("ignore:guided gradients")
def test_every_attribute_of_every_part_is_unchanged(method, calls):
    calls = iter(range(calls))

    class Counts(nn.Module):
        def forward(self, x):
            if next(calls, None) is None:
                raise RuntimeError("no more")
            return x

    model = small_relu_net().insert(4, Counts())
    model[1].eval()
    model[0].bias.requires_grad_(False)
    model[3].weight.grad = torch.ones_like(model[3].weight)
    model[0].register_full_backward_hook(lambda part, grad_input, grad_output: None)
    images, random_state = torch.rand(3, 3, 8, 8), torch.get_rng_state()
    original = images.clone()
    with untouched(model), torch.no_grad():
        try:
            assert attribute(model, images, 1, method, steps=4, samples=2).shape == (3, 8, 8)
        except (AblationError, RuntimeError) as error:
            assert "no more" in str(error) and next(calls, None) is None
    assert torch.equal(images, original) and torch.equal(torch.get_rng_state(), random_state)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore:guided gradients")
def test_images_are_unchanged_by_a_network_that_starts_in_place(method):
    images = torch.randn(2, 3, 8, 8)
    original, options = images.clone(), {"steps": 4, "samples": 2}
    plain = nn.Sequential(nn.ReLU(), *small_relu_net())
    expected = attribute(plain, images, 1, method, **options)
    found = attribute(nn.Sequential(nn.ReLU(inplace=True), *plain[1:]), images, 1, method, **options)
    assert torch.equal(images, original)
    torch.testing.assert_close(found, expected)


class Subtracts(nn.Module):
    """Subtracts a mean from its input, as some networks do, optionally in place."""

    def __init__(self, in_place):
        super().__init__()
        self.in_place, self.rest = in_place, small_relu_net()

    def forward(self, x):
        return self.rest(x.sub_(0.5) if self.in_place else x - 0.5)


@pytest.mark.parametrize("method", ["saliency", "integrated_gradients", "grad_cam", "occlusion"])
def test_a_network_that_overwrites_its_input_gives_the_same_maps(method):
    images = torch.randn(2, 3, 8, 8)
    original = images.clone()
    expected = attribute(Subtracts(in_place=False), images, 1, method, steps=4)
    found = attribute(Subtracts(in_place=True), images, 1, method, steps=4)
    assert torch.equal(images, original)
    torch.testing.assert_close(found, expected)
