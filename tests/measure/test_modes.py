"""Modes, flags and hooks are restored on exit, also after an error."""

import pytest
import torch
from torch import nn

from ablation import AblationError
from ablation.measure.modes import (
    as_images,
    device_and_dtype,
    evaluating,
    out_of_place,
    preserving_state,
    refuse_inference_mode,
)
from tests.untouched import untouched


class Interruption(Exception):  # noqa: N818
    """Raised by a test inside a context."""


def mixed_network():
    """Return a network in mixed modes, with a frozen parameter, a gradient and hooks."""
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(inplace=True))
    network[1].eval()
    network[0].bias.requires_grad_(False)
    network[0].weight.grad = torch.ones_like(network[0].weight)
    network[2].register_forward_hook(lambda part, inputs, output: None)
    network[0].register_full_backward_hook(lambda part, given, taken: None)
    return network


@pytest.mark.parametrize("context", [evaluating, preserving_state, out_of_place])
@pytest.mark.parametrize("fails", [False, True])
def test_network_is_unchanged_on_exit(context, fails):
    network = mixed_network()
    with untouched(network):
        try:
            with context(network):
                if fails:
                    raise Interruption
        except Interruption:
            assert fails


def test_every_submodule_is_in_eval_mode_inside_the_context():
    network = mixed_network()
    with evaluating(network):
        assert not any(part.training for part in network.modules())
    with preserving_state(network):
        assert not any(part.training for part in network.modules())


def test_parameters_require_no_gradients_inside_the_context_and_the_input_may():
    network = mixed_network()
    with torch.no_grad(), preserving_state(network):
        assert not any(parameter.requires_grad for parameter in network.parameters())
        x = torch.rand(1, 3, 2, 2, requires_grad=True)
        assert network[0](x).requires_grad, "even if the caller has disabled gradients"


@pytest.mark.parametrize(
    "add_hook",
    [
        lambda part: part.register_forward_hook(print),
        lambda part: part.register_forward_pre_hook(print),
        lambda part: part.register_full_backward_pre_hook(print),
        lambda part: part.register_forward_hook(print, with_kwargs=True),
        lambda part: part.register_forward_hook(print, always_call=True),
        lambda part: part.register_forward_pre_hook(print, with_kwargs=True),
        lambda part: part.register_full_backward_hook(print),
    ],
    ids=["forward", "pre", "backward pre", "forward kwargs", "always", "pre kwargs", "backward"],
)
def test_hooks_left_behind_inside_the_context_are_removed(add_hook):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    with untouched(network), pytest.raises(Interruption), preserving_state(network):
        add_hook(network[1])
        raise Interruption


def test_existing_hooks_are_kept():
    calls = []
    network = nn.Sequential(nn.Conv2d(3, 4, 1))
    network[0].register_forward_hook(lambda part, inputs, output: calls.append(part))
    with preserving_state(network):
        pass
    network(torch.zeros(1, 3, 2, 2))
    assert calls == [network[0]]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused_with_the_parameter_name(value):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1))
    nn.init.constant_(network[1].bias, value)
    with pytest.raises(AblationError, match=r"1\.bias of Sequential holds NaN or infinity"), preserving_state(network):
        pass


def test_inference_mode_is_refused_and_the_message_names_no_grad():
    with torch.inference_mode():
        with pytest.raises(AblationError, match=r"torch\.no_grad"):
            refuse_inference_mode("this requires gradients")
        with pytest.raises(AblationError, match="requires gradients"), preserving_state(mixed_network()):
            pass
    refuse_inference_mode("not raised here")


def test_activations_are_out_of_place_only_inside_the_context():
    network = mixed_network()
    x = -torch.ones(1, 4, 2, 2)
    with out_of_place(network):
        network[2](x)
        assert (x == -1).all()
    network[2](x)
    assert (x == 0).all()


def test_device_and_dtype_are_those_of_the_first_floating_point_tensor():
    assert device_and_dtype(nn.Conv2d(3, 4, 1).double()) == (torch.device("cpu"), torch.float64)
    assert device_and_dtype(nn.Conv2d(3, 4, 1).to("meta")) == (torch.device("meta"), torch.float32)
    assert device_and_dtype(nn.ReLU()) == (torch.device("cpu"), torch.float32)
    counter = nn.Module()
    counter.register_buffer("steps", torch.zeros(1, dtype=torch.long))
    counter.register_buffer("scale", torch.zeros(1, dtype=torch.float16))
    assert device_and_dtype(counter)[1] == torch.float16


def test_images_are_converted_to_the_module_dtype_and_detached():
    images = torch.rand(2, 3, 4, 4, requires_grad=True)
    ready = as_images(nn.Conv2d(3, 4, 1).double(), images * 2)
    assert ready.dtype == torch.float64 and not ready.requires_grad
    assert as_images(nn.Conv2d(3, 4, 1), torch.ones(1, 3, 4, 4, dtype=torch.uint8)).dtype == torch.float32


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 4, 4), r"not \(3, 4, 4\)"),
        (torch.rand(0, 3, 4, 4), r"N of 1 or more, not \(0, 3, 4, 4\)"),
        ([[1.0]], "not list"),
        (torch.full((1, 3, 4, 4), float("nan")), "not finite"),
        (torch.full((1, 3, 4, 4), float("inf")), "not finite"),
    ],
)
def test_input_that_is_not_a_batch_of_finite_images_is_refused(images, message):
    with pytest.raises(AblationError, match=message):
        as_images(nn.Conv2d(3, 4, 1), images)


def test_checkpointing_is_off_meanwhile_and_on_again_afterwards():
    import torch.utils.checkpoint as home

    original = home.checkpoint
    with preserving_state(nn.Linear(2, 2)):
        assert home.checkpoint is not original and home.checkpoint(torch.relu, torch.ones(1), use_reentrant=True) == 1
        with preserving_state(nn.Linear(2, 2)):
            pass
        assert home.checkpoint is not original
    assert home.checkpoint is original
