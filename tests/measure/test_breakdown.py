"""Breakdown by kind of layer: totals, MACs computed by hand, timing, and no hooks left behind."""

from itertools import count as ticks
from types import SimpleNamespace

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F

import ablation as ab
from ablation import AblationError
from ablation.measure import breakdown as breakdown_module
from ablation.measure.breakdown import KINDS, breakdown
from tests.untouched import untouched

NETWORKS = {
    "resnet": ab.RESNET50.replace(width=8, depths=(1, 1, 1, 1)),
    "convnext": ab.convnext("atto").replace(depths=(1, 1, 2, 1)),
}


@pytest.fixture(scope="module", params=list(NETWORKS))
def measured(request):
    network = ab.build(NETWORKS[request.param], num_classes=10)
    return request.param, network, {share.kind: share for share in breakdown(network, size=64, batch=2, samples=1)}


def test_shares_add_up_to_the_count(measured):
    _, network, shares = measured
    counted = ab.count(network, size=64)
    assert sum(share.macs for share in shares.values()) == counted.macs
    assert sum(share.params for share in shares.values()) == counted.params
    assert all(share.seconds >= 0 and share.macs >= 0 and share.params >= 0 for share in shares.values())
    assert shares["pointwise"].macs > 0 and shares["pointwise"].seconds > 0


def test_kinds_are_in_the_order_of_kinds(measured):
    name, _, shares = measured
    expected = [kind for kind in KINDS if kind != "depthwise convolution" or name == "convnext"]
    assert list(shares) == expected


def test_norms_and_activations_have_no_macs(measured):
    name, network, shares = measured
    norms = (nn.BatchNorm2d, nn.LayerNorm)
    assert shares["norm"].macs == shares["activation"].macs == shares["activation"].params == 0
    assert shares["norm"].params == sum(
        p.numel() for part in network.modules() if isinstance(part, norms) for p in part.parameters()
    )
    assert (shares["other"].params > 0) == (name == "convnext"), "layer scales"


def test_only_the_last_layer_is_linear(measured):
    name, _, shares = measured
    channels = {"resnet": 8 * 8 * 4, "convnext": 8 * 40}[name]
    assert (shares["linear"].macs, shares["linear"].params) == (channels * 10, channels * 10 + 10)


def test_depthwise_convolutions_match_manual_counts():
    shares = {share.kind: share for share in breakdown(ab.build(NETWORKS["convnext"]), size=64, batch=1, samples=1)}
    stages = [(1, 40, 16), (1, 80, 8), (2, 160, 4), (1, 320, 2)]  # blocks, channels, side
    assert shares["depthwise convolution"].macs == sum(n * 49 * c * side**2 for n, c, side in stages)
    assert shares["depthwise convolution"].params == sum(n * (49 * c + c) for n, c, _ in stages)
    assert shares["pointwise"].macs == sum(n * 8 * c * c * side**2 for n, c, side in stages)


class Tokens(nn.Module):
    """A linear layer applied at every position, attention, and a linear layer after pooling."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3, 8)
        self.norm = nn.RMSNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.norm(self.embed(x.flatten(2).transpose(1, 2)))  # (N, L, 8)
        return self.head(F.scaled_dot_product_attention(x, x, x).mean(1))


def test_linear_layers_at_every_position_are_pointwise_and_attention_is_other():
    shares = {share.kind: share for share in breakdown(Tokens(), size=4, batch=2, samples=1)}
    assert shares["pointwise"].macs == 16 * 3 * 8
    assert shares["linear"].macs == 8 * 5
    assert shares["other"].macs == 2 * 16 * 16 * 8
    assert shares["norm"].params == 8


@pytest.mark.parametrize(
    ("layer", "kind"),
    [
        (nn.Conv2d(3, 6, 3), "k x k convolution"),
        (nn.Conv2d(3, 6, (1, 3)), "k x k convolution"),
        (nn.Conv2d(3, 6, 1), "pointwise"),
        (nn.Conv2d(3, 6, 3, groups=3), "depthwise convolution"),
    ],
)
def test_kind_of_a_single_layer(layer, kind):
    (share,) = [share for share in breakdown(layer, size=8, batch=1, samples=1) if share.params]
    assert share.kind == kind
    assert share.params == sum(parameter.numel() for parameter in layer.parameters())
    assert share.macs == ab.count(layer, size=8).macs


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4), nn.GroupNorm(1, 4), nn.LayerNorm(8), nn.RMSNorm(8)])
def test_every_normalisation_layer_is_a_norm(norm):
    shares = {share.kind: share for share in breakdown(nn.Sequential(nn.Conv2d(3, 4, 1), norm), size=8, samples=1)}
    assert shares["norm"].params == sum(parameter.numel() for parameter in norm.parameters())


def test_a_network_of_norms_only_is_refused():
    with pytest.raises(AblationError, match="nothing to count"):
        breakdown(nn.BatchNorm2d(3), size=8)


def test_seconds_are_split_into_layers_and_other(monkeypatch):
    clock = ticks()
    monkeypatch.setattr(breakdown_module, "time", SimpleNamespace(perf_counter=lambda: float(next(clock))))
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.GELU())
    seconds = {share.kind: share.seconds for share in breakdown(network, size=8, batch=1, samples=3)}
    assert seconds == {"k x k convolution": 2, "activation": 1, "other": 4}


def test_the_warm_up_call_is_not_timed(monkeypatch):
    now, batches = [0.0], []

    def advance_clock(part, inputs, output):
        if len(output) == 2:
            batches.append(len(output))
            now[0] += 100 if len(batches) == 1 else 1

    monkeypatch.setattr(breakdown_module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    network = nn.Sequential(nn.Conv2d(3, 4, 1))
    network[0].register_forward_hook(advance_clock)
    assert [share.seconds for share in breakdown(network, size=8, batch=2, samples=1)] == [1]


class Shifted(nn.Module):
    """A network with a parameter outside any layer."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.shift = nn.Parameter(torch.zeros(4, 1, 1))

    def forward(self, x):
        return self.conv(x) + self.shift


def test_a_parameter_outside_layers_is_other():
    params = {share.kind: share.params for share in breakdown(Shifted(), size=8, batch=1, samples=1)}
    assert params == {"pointwise": 16, "other": 4}


def test_a_norm_that_contains_its_activation_is_a_norm():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), timm.layers.BatchNormAct2d(4))
    params = {share.kind: share.params for share in breakdown(network, size=8, batch=1, samples=1)}
    assert params["norm"] == 8


class KeywordInput(nn.Module):
    """Passes the input to its layer as a keyword argument."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)

    def forward(self, x):
        return self.conv(input=x)


def test_a_layer_may_take_its_input_as_a_keyword():
    assert breakdown(KeywordInput(), size=8, batch=1, samples=1)[0].kind == "pointwise"


class FailsOnBatches(nn.Module):
    """Works on one image, so it can be counted, but fails on batches, so it cannot be timed."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.norm = nn.BatchNorm2d(4).eval()

    def forward(self, x):
        x = self.norm(self.conv(x))
        if len(x) > 1:
            raise RuntimeError("one at a time")
        return x


@pytest.mark.parametrize("batch", [1, 2])
def test_modes_and_hooks_are_restored_even_after_an_error(batch):
    network = FailsOnBatches()
    with untouched(network):
        if batch == 1:
            breakdown(network, size=8, batch=batch, samples=1)
        else:
            with pytest.raises(AblationError, match=r"FailsOnBatches could not be run .*one at a time"):
                breakdown(network, size=8, batch=batch, samples=1)


def test_it_runs_in_eval_mode_without_gradients():
    calls = []
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Dropout())
    network.register_forward_hook(lambda part, inputs, y: calls.append((len(y), part[1].training, y.requires_grad)))
    breakdown(network, size=8, batch=3, samples=2)
    assert [call for call in calls if call[0] == 3] == [(3, False, False)] * 3, "one warm-up call and two samples"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch 0 .*must be 1 or more"),
        ({"batch": -1}, "batch -1 .*must be 1 or more"),
        ({"samples": 0}, "samples 0 must be 1 or more"),
        ({"in_chans": 1}, "could not be run on images of 1 x 8 x 8"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    network = nn.Conv2d(3, 4, 1)
    with untouched(network), pytest.raises(AblationError, match=message):
        breakdown(network, **{"size": 8, **options})


def test_a_network_that_cannot_be_counted_is_refused():
    class FourierTransform(nn.Module):
        def forward(self, x):
            return torch.fft.fft(x).real

    with pytest.raises(AblationError, match="fft"):
        breakdown(FourierTransform(), size=8, batch=1)


def test_shared_weights_count_once():
    network = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    network[1].weight = network[0].weight
    shares = breakdown(network, size=8, batch=1, samples=1)
    assert sum(share.params for share in shares) == 64 + 8 + 8
    assert all(share.params >= 0 for share in shares)


def test_a_convolution_with_computed_weights_is_a_convolution():
    conv = torch.nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
    macs = {share.kind: share.macs for share in breakdown(nn.Sequential(conv), size=8, batch=1, samples=1)}
    assert macs["k x k convolution"] == 3 * 4 * 9 * 36
