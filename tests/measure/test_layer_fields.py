"""The receptive field of each layer against the image."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from ablation import RESNET50, AblationError, build, convnext, receptive_fields
from ablation.measure.layer_fields import CRITICAL, GLOBAL, PRODUCTIVE, UNPRODUCTIVE
from tests.untouched import untouched


def vgg():
    return torchvision.models.vgg11(num_classes=2).features


def test_fields_of_vgg11_by_hand():
    network = vgg()
    with untouched(network):
        rows = receptive_fields(network, size=64)
    fields = [3, 4, 8, 10, 18, 26, 30, 46, 62, 70, 102, 134, 150]
    assert [row.field for row in rows] == fields
    assert [row.before for row in rows] == [1, *fields[:-1]]
    assert [row.shortest for row in rows] == [1, *fields[:-1]], "a single path"
    assert [row.status for row in rows] == [PRODUCTIVE] * 10 + [UNPRODUCTIVE] * 3
    assert rows[1].kind == "MaxPool2d 2x2, stride 2" and rows[0].kind == "Conv2d 3x3"


def test_shortcuts_keep_the_shortest_path_short():
    network = build(RESNET50.replace(width=4), num_classes=3)
    rows = {row.layer: row for row in receptive_fields(network, size=224)}
    last = rows[list(rows)[-1]]
    assert last.field == 427 and not last.measured
    assert {row.status for row in rows.values()} == {PRODUCTIVE, CRITICAL}
    assert last.status == CRITICAL and last.shortest < 224 <= last.before


def test_every_layer_has_the_field_of_its_own_measurement():
    network = build(convnext("tiny").replace(width=4, depths=(1, 1, 2, 1)), num_classes=3)
    from ablation import theoretical_receptive_field

    for row in receptive_fields(network, size=64)[::4]:
        assert row.field == theoretical_receptive_field(network, layer=row.layer), row.layer


@pytest.mark.parametrize(
    "make",
    [
        lambda: timm.create_model("vit_tiny_patch16_224", img_size=64, depth=1, num_classes=3),
        lambda: nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.GroupNorm(1, 4), nn.Conv2d(4, 4, 3, padding=1)),
    ],
    ids=["attention", "spatial norm"],
)
def test_where_more_than_kernels_mixes_positions_fields_are_measured(make):
    rows = receptive_fields(make(), size=64)
    assert all(row.measured and row.before is None for row in rows)
    assert (rows[0].status, rows[-1].status) == (PRODUCTIVE, GLOBAL) and rows[-1].field == 64


@pytest.mark.parametrize(
    ("network", "size", "message"),
    [
        (nn.Conv2d(3, 4, 3), -5, "size -5 must be"),
        (nn.Conv2d(3, 4, 3), 2, "could not be run on images of 3 x 2 x 2"),
        (nn.Sequential(nn.Flatten(), nn.Linear(48, 2)), 4, "no convolution, pooling or linear layer"),
    ],
)
def test_bad_input(network, size, message):
    with pytest.raises(AblationError, match=message):
        receptive_fields(network, size)


def test_progress_counts_the_layers():
    seen = []
    receptive_fields(
        nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 3)), 9, progress=lambda *x: seen.append(x)
    )
    assert seen == [(1, 2), (2, 2)]
    assert torch.is_grad_enabled()
