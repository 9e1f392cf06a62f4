"""Counts under other conventions: our rules against the counters that are installed, and against what is published."""

import copy
import warnings

import pytest
import timm
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from ablation import AblationError, build, convnext, count, reconcile
from ablation.measure.conventions import OPERATORS
from ablation.measure.reconcile import CONVENTIONS
from tests.measure.networks import Applies
from tests.untouched import untouched


class Layers(nn.Module):
    """Has every kind of layer for which a rule exists, and functions beside them."""

    def __init__(self):
        super().__init__()
        shared = nn.Conv2d(8, 8, 1, groups=2, bias=False)
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, stride=2, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Sequential(shared, nn.InstanceNorm2d(8, affine=True)),
            nn.Sequential(shared, nn.InstanceNorm2d(8), nn.PReLU()),
            nn.BatchNorm2d(8, affine=False),
            nn.GroupNorm(2, 8),
            nn.ConvTranspose2d(8, 8, 2, stride=2),
            nn.LeakyReLU(),
            nn.AvgPool2d(2),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            nn.MaxPool2d(2),
            nn.Upsample(scale_factor=2),
            nn.AdaptiveAvgPool2d(4),
            nn.Conv2d(8, 8, 3, padding="same"),
        )
        self.norm, self.plain_norm = nn.LayerNorm(8), nn.LayerNorm(8, elementwise_affine=False)
        self.linear, self.softmax, self.gelu = nn.Linear(8, 6), nn.Softmax(-1), nn.GELU()
        self.attention = nn.MultiheadAttention(6, 2, batch_first=True)
        self.tied = nn.Linear(6, 6)

    def forward(self, x):
        x = self.features(x).flatten(2).transpose(1, 2)  # (N, 16, 8)
        x = self.gelu(self.linear(self.plain_norm(self.norm(x))))  # (N, 16, 6)
        x = x + self.attention(x, x, x)[0] + self.attention(x, x, x, need_weights=False)[0]
        x = self.softmax(x @ x.transpose(1, 2)) @ F.layer_norm(x, (6,))
        x = F.scaled_dot_product_attention(x, x, x) + torch.baddbmm(x, x, self.tied.weight[None])
        return F.linear(torch.einsum("nlc,dc,l->nd", x, self.tied.weight, x[0, :, 0]), self.tied.weight)


def small(name, **options):
    return lambda: timm.create_model(name, **options)


NETWORKS = {
    "layers": (Layers, 32),
    "resnet50": (small("resnet50"), 32),
    "convnext_tiny": (small("convnext_tiny"), 32),
    "vit_tiny": (small("vit_tiny_patch16_224", img_size=32), 32),
    "swin_tiny": (small("swin_tiny_patch4_window7_224", img_size=64, window_size=2), 64),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network_and_rows(request):
    make, size = NETWORKS[request.param]
    network = make().eval()
    return network, torch.zeros(1, 3, size, size), reconcile(network, size)


def test_differences_add_up_and_paper_is_the_count(network_and_rows):
    _, _, found = network_and_rows
    assert [row.convention for row in found.rows] == [convention.name for convention in CONVENTIONS]
    assert not found.rows[0].differences
    for row in found.rows:
        assert row.total - found.rows[0].total == sum(row.differences.values())
        assert set(row.differences) <= set(OPERATORS) and 0 not in row.differences.values()
    frame = found.to_frame().set_index("convention")
    assert (frame[list(found.operators)].sum(axis=1) == frame["difference"]).all()
    assert frame.loc["torch", "total"] == found["torch"].total


def test_the_papers_convention_is_the_count():
    network = build(convnext("atto").replace(depths=(1, 1, 1, 1)), num_classes=10)
    found, counted = reconcile(network, 32), count(network, 32)
    assert (found["paper"].total, found["torch"].total) == (counted.macs, counted.flops)


def test_torchs_counter(network_and_rows):
    network, image, found = network_and_rows
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        torch.backends.mha.set_fastpath_enabled(False)
        network(image)
        torch.backends.mha.set_fastpath_enabled(True)
    assert (found["torch"].unit, found["torch"].total) == ("FLOPs", counter.get_total_flops())


def fvcore_total(network, image):
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(network, image).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        return analysis.tracer_warnings("none").total()
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


def test_fvcore(network_and_rows):
    network, image, found = network_and_rows
    assert found["fvcore"].total == fvcore_total(network, image)


def test_thop(network_and_rows):
    network, image, found = network_and_rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports distutils and calls functions that it deprecates
        thop = pytest.importorskip("thop")
        total, _ = thop.profile(copy.deepcopy(network), (image,), verbose=False)
    assert found["thop"].total == total


def test_torchinfo(network_and_rows):
    network, image, found = network_and_rows
    torchinfo = pytest.importorskip("torchinfo")
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        summary = torchinfo.summary(copy.deepcopy(network), input_data=image, verbose=0)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert found["torchinfo"].total == summary.total_mult_adds


# timm's benchmark-infer-amp-nchw-pt113-cu117-rtx3090.csv, column infer_gmacs; ptflops' README, column MACs(G).
@pytest.mark.parametrize(
    ("name", "size", "published"),
    [
        ("vit_tiny_patch16_224", 224, {"timm": 1.26}),
        ("resnet50", 224, {"timm": 4.11, "ptflops modules": 4.12}),
    ],
)
def test_published_counts(name, size, published):
    found = reconcile(timm.create_model(name), size)
    assert {row: round(found[row].total / 1e9, 2) for row in published} == published


def test_timms_total_is_fvcores_with_attention_written_out_and_fast_pooling():
    found = reconcile(timm.create_model("resnet10t"), 64)
    assert found["timm"].total == fvcore_total(
        timm.create_model("resnet10t", global_pool="fast").eval(), torch.zeros(1, 3, 64, 64)
    )
    timm.layers.set_fused_attn(False)
    try:
        unfused = timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1).eval()
    finally:
        timm.layers.set_fused_attn(True)
    found = reconcile(timm.create_model("vit_tiny_patch16_224", img_size=32, depth=1), 32)
    assert found["timm"].total == fvcore_total(unfused, torch.zeros(1, 3, 32, 32))


def test_ptflops_by_hand():
    found = reconcile(nn.Sequential(nn.Conv2d(3, 4, 3, bias=True), nn.ReLU(), nn.Linear(6, 5)), 8)
    assert found["ptflops"].differences == {"bias": 4 * 36}
    assert found["ptflops modules"].differences == {"bias": 4 * 36 + 5, "activations": 4 * 36}


def test_where_fvcore_stops_there_is_no_total_and_a_reason():
    found = reconcile(Applies(lambda x: x @ x[0, 0, 0]), 8)
    assert found["fvcore"].total is None and found["fvcore"].counts == "stops with an error at a product with a vector"
    with pytest.raises((AssertionError, IndexError)):
        fvcore_total(Applies(lambda x: x @ x[0, 0, 0]), torch.zeros(1, 3, 8, 8))
    assert found.to_frame()["total"].isna().tolist().count(True) == 2

    weight = nn.Linear(8, 2).weight
    found = reconcile(Applies(lambda x: F.linear(x, weight)), 8)
    assert found["timm"].total is None and "fvcore could not trace it" in found["timm"].counts


def test_rectangles_and_an_unchanged_network():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    with untouched(network):
        found = reconcile(network, (4, 6))
    assert found.size == (4, 6) and found["paper"].total == 3 * 4 * 24
    assert found["fvcore"].differences == {"norms": 2 * 4 * 24}
    with pytest.raises(AblationError, match=r"^size -1 must be"):
        reconcile(network, -1)


class Alternating(nn.Module):
    calls = 0

    def forward(self, x):
        self.calls += 1
        return x @ x if self.calls < 3 else x @ x @ x


def test_a_network_that_differs_from_call_to_call_is_refused():
    with pytest.raises(AblationError, match="from call to call"):
        reconcile(Alternating(), 4)
