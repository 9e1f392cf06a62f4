"""Faithfulness scores of attributions: exact on known cases, and different for good and bad maps."""

import numpy as np
import pytest
import torch
from torch import nn

from ablation.errors import AblationError
from ablation.measure.attribution import attribute
from ablation.measure.faithfulness import Curves, completeness_gap, insertion_deletion, weight_randomisation

PLAIN = {"mean": (0.0,), "std": (1.0,)}


def test_the_gap_is_zero_for_complete_maps_and_known_for_scaled_ones(linear, images):
    exact = attribute(linear, images, 1, "input_x_gradient")
    assert completeness_gap(linear, images, exact, 1, **PLAIN).max() < 1e-12
    assert completeness_gap(linear, images, 1.5 * exact, 1, **PLAIN) == pytest.approx([0.5] * 4)
    assert completeness_gap(linear, images, 0 * exact, 1, **PLAIN) == pytest.approx([1.0] * 4)


def test_the_gap_uses_the_baseline_in_pixels(linear, images):
    options = {"baseline": 1.0, "mean": (0.3,), "std": (0.2,)}
    found = attribute(linear, images, 2, **options)
    assert completeness_gap(linear, images, found, 2, **options).max() < 1e-6
    assert completeness_gap(linear, images, found, 2, **{**options, "baseline": 0.0}).min() > 1e-3


def test_curves_run_between_baseline_and_image(linear, images):
    maps = attribute(linear, images, 0, "input_x_gradient")
    curves = insertion_deletion(linear, images, maps, 0, steps=8, **PLAIN)
    image = linear(images).softmax(1)[:, 0].detach().numpy()
    black = linear(torch.zeros_like(images)).softmax(1)[:, 0].detach().numpy()
    assert curves.insertion[:, 0] == pytest.approx(black) and curves.insertion[:, -1] == pytest.approx(image)
    assert curves.deletion[:, 0] == pytest.approx(image) and curves.deletion[:, -1] == pytest.approx(black)
    assert curves.shares.tolist() == pytest.approx([i / 8 for i in range(9)])


def test_pixels_are_inserted_and_deleted_in_the_order_of_the_map():
    weighted_sum = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).double()
    with torch.no_grad():
        weighted_sum[1].weight.copy_(torch.tensor([[8.0, 4, 2, 1], [0, 0, 0, 0]]))
    ones = torch.ones(1, 1, 2, 2).double()
    order = torch.tensor([[[0.1, 0.4], [0.3, 0.2]]])
    curves = insertion_deletion(weighted_sum, ones, order, 0, steps=4, **PLAIN)
    sums = torch.tensor([0.0, 4, 6, 7, 15])  # after pixels 1, 2, 3, 0
    assert curves.insertion[0] == pytest.approx(torch.sigmoid(sums.double()).numpy())
    assert curves.deletion[0] == pytest.approx(torch.sigmoid(15 - sums.double()).numpy())


def test_the_order_of_the_map_scores_better_than_the_reverse(linear, images):
    maps = attribute(linear, images, 1, "input_x_gradient")
    forward, reverse = (insertion_deletion(linear, images, order, 1, **PLAIN) for order in (maps, -maps))
    assert (forward.insertion_area > reverse.insertion_area).all()
    assert (forward.deletion_area < reverse.deletion_area).all()


def test_areas_under_the_curves():
    shares = np.linspace(0, 1, 5)
    curves = Curves(shares, np.array([[0.0, 0.25, 0.5, 0.75, 1.0]]), np.array([[1.0, 1, 1, 1, 1]]))
    assert curves.insertion_area == pytest.approx([0.5]) and curves.deletion_area == pytest.approx([1.0])


def small_gelu_net():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.GELU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.GELU(),
        nn.Flatten(),
        nn.Linear(512, 4),
    )


def test_randomised_weights_change_the_maps_but_not_the_module():
    model = small_gelu_net().train()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    steps = weight_randomisation(model, torch.randn(3, 1, 8, 8), 0, "saliency")
    assert [step.part for step in steps] == ["", "5", "2", "0"]
    assert steps[0].similarity == pytest.approx([1.0] * 3)
    assert abs(steps[-1].similarity).max() < 0.7
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)) and model.training


def test_a_map_independent_of_the_weights_has_similarity_one(monkeypatch):
    def edges(module, images, target, method, **options):
        return images[:, 0].abs()

    monkeypatch.setattr("ablation.measure.faithfulness.attribute", edges)
    steps = weight_randomisation(small_gelu_net(), torch.randn(3, 1, 8, 8), 0)
    assert all(step.similarity == pytest.approx([1.0] * 3) for step in steps)


def test_a_constant_map_has_no_rank_correlation(monkeypatch):
    monkeypatch.setattr("ablation.measure.faithfulness.attribute", lambda *args, **options: torch.ones(2, 8, 8))
    steps = weight_randomisation(small_gelu_net(), torch.randn(2, 1, 8, 8), 0)
    assert all(np.isnan(step.similarity).all() for step in steps)


def test_sequences_are_randomised_part_by_part_from_the_top():
    import ablation as ab

    network = ab.build(ab.RESNET50.replace(width=8, depths=(1, 1, 1, 1)), num_classes=3)
    calls = []
    steps = weight_randomisation(
        network, torch.randn(1, 3, 32, 32), 0, progress=lambda done, total: calls.append((done, total))
    )
    assert [step.part for step in steps] == [
        "", "head", "stages.3", "stages.2", "stages.1", "stages.0", "stem.norm", "stem.conv",
    ]  # fmt: skip
    assert calls == [(i, 7) for i in range(1, 8)]


def test_maps_of_another_size_are_refused(linear, images):
    for function in (completeness_gap, insertion_deletion):
        with pytest.raises(
            AblationError, match=r"maps have shape \(4, 2, 2\), expected \(4, 8, 8\): one map per image"
        ):
            function(linear, images, torch.zeros(4, 2, 2), 0, **PLAIN)
    with pytest.raises(AblationError, match="steps 0 must be 1 or more"):
        insertion_deletion(linear, images, torch.zeros(4, 8, 8), 0, steps=0, **PLAIN)


def test_parameters_outside_submodules_are_randomised_too(monkeypatch):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.randn(8, 1, 1))
            self.conv, self.head = nn.Conv2d(1, 8, 3), nn.Linear(8, 4)

        def forward(self, x):
            return self.head((self.scale * self.conv(x)).mean((2, 3)))

    snapshots = []

    def record(module, images, *args, **options):
        snapshots.append([parameter.detach().clone() for parameter in module.parameters()])
        return images[:, 0]

    monkeypatch.setattr("ablation.measure.faithfulness.attribute", record)
    weight_randomisation(Scaled(), torch.randn(1, 1, 8, 8), 0)
    assert not any(torch.equal(before, after) for before, after in zip(snapshots[0], snapshots[-1], strict=True))


@pytest.mark.parametrize("score", [completeness_gap, insertion_deletion])
def test_images_are_unchanged_by_a_network_that_starts_in_place(score):
    model, images = nn.Sequential(nn.ReLU(inplace=True), *small_gelu_net()), torch.randn(2, 1, 8, 8)
    original = images.clone()
    score(model, images, torch.zeros(2, 8, 8), 0, **PLAIN)
    assert torch.equal(images, original)
