"""Built networks: agreement with the closed-form cost for any combination of steps, gradients, and hooks."""

import pytest
import torch
from torch import nn

from ablation import RESNET50, AblationError, build, convnext, cost, count, roadmap
from ablation.network.blocks import Block
from tests.exact import LADDERS
from tests.laws import random_subset, randomise

SUBSETS, CHUNK = 200, 25
SMALL = RESNET50.replace(width=8)
RUNGS = [(ladder, name) for ladder, table in LADDERS.items() for name in table]
SMALL_RUNGS = roadmap("resnet50", width_divisor=8)


@pytest.mark.parametrize(("ladder", "name"), RUNGS)
def test_built_rungs_have_the_exact_params_and_macs(ladder, name):
    rung = next(rung for rung in roadmap(ladder) if rung.name == name)
    counted, expected = count(build(rung.architecture)), cost(rung.architecture)
    assert (counted.params, counted.macs) == LADDERS[ladder][name]
    macs_by_part = {part.name: counted.by_module.get(part.name, 0) for part in expected.stages}
    assert macs_by_part == {part.name: part.macs for part in expected.stages}
    assert counted.activations == expected.activations
    for row in counted.cross_check():
        assert (row.fvcore, row.reason) == (row.torch, ""), "torch's own counter agrees"
    assert sum(row.fvcore for row in counted.cross_check()) == counted.macs


def check_gradients(network: nn.Module, size: int) -> None:
    network.train()
    network(torch.randn(2, network.in_chans, size, size)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.isfinite().all(), f"the gradient of {name} is not finite"


@pytest.mark.parametrize("first", range(0, SUBSETS, CHUNK))
def test_any_subset_of_the_steps_in_any_order_builds_a_network(first):
    for seed in range(first, first + CHUNK):
        torch.manual_seed(seed)
        architecture = SMALL.apply(*random_subset(seed)).replace(depths=(1, 2, 2, 1))  # a first block, and one more
        network = build(architecture, num_classes=10)
        counted, expected = count(network, size=64), cost(architecture, size=64, num_classes=10)
        assert (counted.params, counted.macs) == (expected.params, expected.macs), architecture
        macs_by_part = {part.name: counted.by_module.get(part.name, 0) for part in expected.stages}
        assert macs_by_part == {part.name: part.macs for part in expected.stages}, architecture
        check_gradients(network, size=64)


@pytest.mark.parametrize("stem", ["conv", "patchify"])
@pytest.mark.parametrize("stem_stride", [1, 2, 4])
@pytest.mark.parametrize("downsampling", ["block", "separate", "pool"])
@pytest.mark.parametrize("size", [32, 45])
def test_feature_maps_have_the_sizes_of_the_description(stem, stem_stride, downsampling, size):
    architecture = SMALL.replace(stem=stem, stem_stride=stem_stride, downsampling=downsampling, layer_scale=0.1)
    network = build(architecture, num_classes=3, in_chans=2).eval()
    assert [part.size for part in cost(architecture, size).stages[1:-1]] == list(architecture.sizes(size))
    x = network.stem(torch.randn(1, 2, size, size))
    for stage, side, channels in zip(network.stages, architecture.sizes(size), architecture.out_channels, strict=True):
        x = stage(x)
        assert x.shape == (1, channels, side, side)
    counted, expected = count(network, size, in_chans=2), cost(architecture, size, num_classes=3, in_chans=2)
    assert (counted.params, counted.macs) == (expected.params, expected.macs)
    check_gradients(network, size)


def test_activations_are_the_outputs_of_convolutions_and_linear_layers():
    for architecture in (SMALL, convnext("atto"), SMALL.replace(downsampling="pool", spatial_first=True)):
        network, total = build(architecture, num_classes=10).eval(), 0

        def add_elements(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
            nonlocal total
            total += output.numel()

        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(add_elements)
        network(torch.zeros(1, 3, 64, 64))
        assert total == cost(architecture, size=64, num_classes=10).activations


def test_forward_is_forward_features_then_forward_head():
    network = randomise(build(SMALL, num_classes=7)).eval()
    x = torch.randn(2, 3, 64, 64)
    features = network.forward_features(x)
    assert features.shape == (2, 256, 2, 2)
    assert network.forward_head(features, pre_logits=True).shape == (2, 256)
    torch.testing.assert_close(network.forward_head(features), network(x))
    headless = build(SMALL, num_classes=0)
    assert headless(x).shape == (2, headless.num_features)


def test_initialisation_is_the_same_for_all_rungs():
    for rung in (roadmap()[0], roadmap()[-1]):
        network = build(rung.architecture)
        for name, parameter in network.named_parameters():
            if parameter.ndim > 1:
                assert parameter.std().item() == pytest.approx(0.02, rel=0.1), name
            else:
                is_weight = name.endswith("weight")
                assert torch.equal(parameter, torch.full_like(parameter, 1.0 if is_weight else 0.0)), name


@pytest.mark.parametrize("rung", SMALL_RUNGS, ids=lambda rung: rung.name)
def test_cam_layer_outputs_the_last_feature_map(rung):
    network = randomise(build(rung.architecture, num_classes=5)).eval()
    outputs = []
    handle = network.cam_layer.register_forward_hook(lambda module, inputs, output: outputs.append(output))
    x = torch.randn(1, 3, 64, 64)
    logits = network(x)
    handle.remove()
    torch.testing.assert_close(outputs[0], network.forward_features(x))
    torch.testing.assert_close(network.forward_head(outputs[0]), logits)


@pytest.mark.parametrize("rung", SMALL_RUNGS, ids=lambda rung: rung.name)
def test_activations_are_separate_modules_and_not_in_place(rung):
    network = build(rung.architecture, num_classes=5)
    calls: dict[nn.Module, int] = {}
    recorded = []

    def record(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        calls[module] = calls.get(module, 0) + 1
        recorded.append((inputs[0], inputs[0].clone(), output, output.detach().clone()))

    for module in network.modules():
        if not list(module.children()):
            module.register_forward_hook(record)
    for mode in (True, False):
        network.train(mode)
        calls.clear(), recorded.clear()
        network(torch.randn(2, 3, 64, 64))
        activations = [module for module in calls if isinstance(module, nn.ReLU | nn.GELU)]
        assert activations and all(calls[module] == 1 for module in activations)
        assert not any(getattr(module, "inplace", False) for module in network.modules())
        for given, given_copy, output, output_copy in recorded:
            unchanged = torch.equal(given, given_copy) and torch.equal(output, output_copy)
            assert unchanged, "a tensor passed to a hook was overwritten"


@pytest.mark.parametrize("rung", SMALL_RUNGS, ids=lambda rung: rung.name)
@pytest.mark.parametrize("train", [True, False])
def test_full_backward_hooks_work_on_every_module(rung, train):
    network = build(rung.architecture, num_classes=5).train(train)
    called = set()
    for name, module in network.named_modules():
        if name:
            module.register_full_backward_hook(lambda module, inputs, outputs, name=name: called.add(name))
    network(torch.randn(2, 3, 64, 64, requires_grad=True)).sum().backward()
    leaves = {name for name, module in network.named_modules() if name and not list(module.children())}
    assert leaves <= called


def test_stochastic_depth_rates_rise_linearly_and_are_inactive_in_eval_mode():
    network = build(convnext("atto"), num_classes=5, drop_path=0.3)
    rates = [getattr(block.drop_path, "drop_prob", 0.0) for block in network.modules() if isinstance(block, Block)]
    assert rates == pytest.approx([0.3 * i / 11 for i in range(12)])
    x = torch.randn(1, 3, 64, 64)
    network.eval()
    assert torch.equal(network(x), network(x))


def test_deepcopy_channels_last_and_double():
    import copy

    network = randomise(build(SMALL, num_classes=5)).eval()
    x = torch.randn(2, 3, 64, 64)
    expected = network(x)
    channels_last = copy.deepcopy(network).to(memory_format=torch.channels_last)
    torch.testing.assert_close(channels_last(x.to(memory_format=torch.channels_last)), expected, rtol=1e-4, atol=1e-4)
    assert copy.deepcopy(network).double()(x.double()).dtype == torch.float64


def test_reset_classifier():
    network = build(SMALL, num_classes=5)
    network.reset_classifier(3)
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 3)
    assert network.get_classifier().out_features == network.num_classes == 3
    network.reset_classifier(0)
    assert network(torch.zeros(2, 3, 64, 64)).shape == (2, 256)
    with pytest.raises(AblationError, match="global_pool 'max'"):
        network.reset_classifier(3, global_pool="max")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"num_classes": -1}, "num_classes"), ({"in_chans": 0}, "in_chans"), ({"drop_path": 1.0}, "drop_path 1.0")],
)
def test_invalid_arguments_are_refused(arguments, message):
    with pytest.raises(AblationError, match=message):
        build(SMALL, **arguments)


def test_the_error_for_a_small_image_states_the_smallest_size():
    with pytest.raises(AblationError, match="smallest that works is 32 px"):
        build(convnext("atto"))(torch.zeros(1, 3, 64, 31))
