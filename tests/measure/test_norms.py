"""Statistics of normalisation layers: known inputs, running statistics, restored state."""

import pytest
import torch
from torch import nn

from ablation import AblationError
from ablation.measure.norms import norm_statistics, take_statistics
from tests.untouched import untouched


def alternating(count=2, channels=3, side=8):
    """Return images of half zeros and half twos: mean 1, population standard deviation 1."""
    images = torch.zeros(count, channels, side, side)
    images[..., ::2] = 2
    return images


def all_kinds():
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm(8), nn.RMSNorm(8))


def mixed_network():
    """Return a network in mixed modes whose norms have different momenta."""
    network = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4, momentum=0.3), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4).eval()
    )
    nn.init.normal_(network[0].bias, std=3.0)
    return network


class Reversed(nn.Module):
    """Calls its norms in the reverse order of their definition, one of them twice."""

    def __init__(self):
        super().__init__()
        self.last = nn.BatchNorm2d(3)
        self.first = nn.GroupNorm(1, 3)

    def forward(self, x):
        return self.first(self.last(self.first(x)))


class Fails(nn.Module):
    """Fails after its first norm."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(3, momentum=0.3), nn.BatchNorm2d(3).eval()])

    def forward(self, x):
        self.norms[0](x)
        raise RuntimeError("midway")


class ByName(nn.Module):
    """Passes the input to its norm as a keyword argument."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(3)

    def forward(self, x):
        return self.norm(input=x)


def test_every_kind_of_norm_is_reported_in_order():
    rows = norm_statistics(all_kinds(), torch.rand(2, 3, 8, 8))
    assert [(row.name, row.kind) for row in rows] == [
        ("1", "BatchNorm2d"),
        ("2", "GroupNorm"),
        ("3", "LayerNorm"),
        ("4", "RMSNorm"),
    ]
    assert [row.drift is None for row in rows] == [False, True, True, True]


def test_order_is_that_of_the_forward_pass_with_one_entry_per_call():
    assert [row.name for row in norm_statistics(Reversed(), torch.rand(2, 3, 8, 8))] == ["first", "last", "first"]


def test_statistics_of_a_known_input():
    norm = nn.BatchNorm2d(3)
    nn.init.constant_(norm.weight, 5.0)
    images = alternating()
    (row,) = norm_statistics(norm, images)
    spread = (images.numel() / (images.numel() - 1)) ** 0.5
    assert row.spread_in == pytest.approx(spread)
    assert row.spread_out == pytest.approx(5 * spread, rel=1e-4)
    assert row.largest_in == pytest.approx(2 / spread)
    assert row.drift == pytest.approx(1.0), "the batch has mean 1; a new norm has mean 0 and standard deviation 1"


def test_drift_is_in_units_of_the_running_standard_deviation():
    norm = nn.BatchNorm2d(3)
    norm.running_mean.copy_(torch.tensor([1.0, 4.0, -2.0]))
    norm.running_var.fill_(9.0)
    (row,) = norm_statistics(norm, alternating())
    assert row.drift == pytest.approx((0 + 3 + 3) / 3 / 3)


def test_largest_element_may_be_negative():
    images = torch.zeros(2, 3, 8, 8)
    images[0, 0, 0, 0] = -7
    (row,) = norm_statistics(nn.GroupNorm(1, 3), images)
    assert row.largest_in == pytest.approx(7 / float(images.double().std()))


def test_constant_input_gives_zero_spread_and_finite_statistics():
    (row,) = norm_statistics(nn.BatchNorm2d(3), torch.zeros(2, 3, 8, 8))
    assert (row.spread_in, row.largest_in, row.drift) == (0, 0, 0)


def test_norm_without_running_statistics_has_no_drift():
    (row,) = norm_statistics(nn.BatchNorm2d(3, track_running_stats=False), torch.rand(2, 3, 8, 8))
    assert row.drift is None


def test_norm_statistics_leave_the_network_unchanged():
    network = mixed_network()
    with untouched(network):
        norm_statistics(network, torch.rand(2, 3, 8, 8))
    failing = Fails()
    with untouched(failing), pytest.raises(AblationError, match=r"Fails could not be run .*midway"):
        norm_statistics(failing, torch.rand(2, 3, 8, 8))


def test_network_without_norms_is_refused():
    with pytest.raises(AblationError, match="Conv2d has no normalisation layer"):
        norm_statistics(nn.Conv2d(3, 4, 1), torch.rand(2, 3, 8, 8))


@pytest.mark.parametrize("measure", [norm_statistics, take_statistics])
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.rand(3, 8, 8), r"not \(3, 8, 8\)"),
        (torch.full((1, 3, 8, 8), float("nan")), "not finite"),
        (torch.rand(2, 4, 8, 8), "could not be run on images of 4 x 8 x 8"),
    ],
)
def test_invalid_images_are_refused(measure, images, message):
    with pytest.raises(AblationError, match=message):
        measure(mixed_network(), images)


def test_invalid_images_are_refused_before_statistics_are_reset():
    network = take_statistics(mixed_network(), torch.rand(2, 3, 8, 8))
    with untouched(network), pytest.raises(AblationError):
        take_statistics(network, torch.full((1, 3, 8, 8), float("nan")))


def test_norm_input_may_be_a_keyword_argument():
    (row,) = norm_statistics(ByName(), alternating())
    assert row.drift == pytest.approx(1.0)


def test_instance_norms_are_reported():
    assert [row.kind for row in norm_statistics(nn.InstanceNorm2d(3), torch.rand(2, 3, 8, 8))] == ["InstanceNorm2d"]


def test_running_statistics_are_set_to_those_of_the_batch():
    images = torch.rand(4, 3, 8, 8) * torch.tensor([1.0, 2.0, 3.0])[:, None, None] + 5
    norm = nn.BatchNorm2d(3)
    norm.running_mean.fill_(100.0)
    assert take_statistics(norm, images) is norm
    torch.testing.assert_close(norm.running_mean, images.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, images.transpose(0, 1).flatten(1).var(1))


def test_statistics_of_earlier_images_are_discarded():
    norm = take_statistics(nn.BatchNorm2d(3), torch.rand(2, 3, 8, 8) + 100)
    images = torch.rand(2, 3, 8, 8)
    take_statistics(norm, images)
    torch.testing.assert_close(norm.running_mean, images.mean((0, 2, 3)))


def test_drift_of_the_same_images_is_zero_after_taking_statistics():
    network, images = mixed_network(), torch.rand(8, 3, 16, 16)
    before = [row.drift for row in norm_statistics(network, images)]
    take_statistics(network, images)
    after = [row.drift for row in norm_statistics(network, images)]
    assert min(before) > 0.05
    assert after[0] == pytest.approx(0, abs=1e-5)
    assert after[1] == pytest.approx(0, abs=1e-3), "running variances divide by n - 1, normalisation of a batch by n"


@pytest.mark.parametrize("make", [mixed_network, Fails])
def test_momenta_and_modes_are_restored_even_after_an_error(make):
    network = make()
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    modes = [part.training for part in network.modules()]
    if make is Fails:
        with pytest.raises(AblationError, match="midway"):
            take_statistics(network, torch.rand(2, 3, 8, 8))
    else:
        take_statistics(network, torch.rand(2, 3, 8, 8))
    assert [norm.momentum for norm in norms] == [0.3, 0.1]
    assert [part.training for part in network.modules()] == modes
    assert not any(part._forward_hooks for part in network.modules())


def test_taking_statistics_changes_only_the_running_statistics():
    network = mixed_network()
    parameters = {name: value.clone() for name, value in network.named_parameters()}
    take_statistics(network, torch.rand(2, 3, 8, 8))
    assert all(torch.equal(value, parameters[name]) for name, value in network.named_parameters())
    assert all(value.grad is None for value in network.parameters())


def test_dropout_is_disabled_while_statistics_are_taken():
    network = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2d(3)).train()
    images = alternating()
    take_statistics(network, images)
    torch.testing.assert_close(network[1].running_mean, images.mean((0, 2, 3)))


@pytest.mark.parametrize("network", [nn.Conv2d(3, 4, 1), nn.Sequential(nn.GroupNorm(1, 3), nn.ReLU())])
def test_network_without_batch_norms_is_left_unchanged(network):
    with untouched(network):
        assert take_statistics(network, torch.rand(2, 3, 8, 8)) is network


@pytest.mark.parametrize("measure", [norm_statistics, take_statistics])
def test_images_are_unchanged_when_the_first_layer_is_in_place(measure):
    images = torch.randn(2, 3, 8, 8)
    before = images.clone()
    measure(nn.Sequential(nn.ReLU(inplace=True), nn.BatchNorm2d(3)), images)
    assert torch.equal(images, before)
