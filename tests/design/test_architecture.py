"""`Architecture`: validation, immutability and serialisation."""

import dataclasses

import pytest

from ablation import RESNET50, RESNET200, AblationError, Architecture


def test_default_is_resnet50_and_repr_shows_only_differences():
    assert Architecture() == RESNET50
    assert repr(RESNET50) == "Architecture()"
    assert repr(RESNET200) == "Architecture(depths=(3, 24, 36, 3))"
    assert eval(repr(RESNET200)) == RESNET200


def test_architectures_are_frozen_and_hashable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RESNET50.width = 1  # type: ignore[misc]
    assert len({RESNET50, Architecture(), RESNET200}) == 2


def test_diff_contains_only_the_changed_fields():
    other = RESNET50.replace(kernel_size=7, norm="layer")
    assert RESNET50.diff(other) == {"kernel_size": (3, 7), "norm": ("batch", "layer")}
    assert RESNET50.diff(RESNET50) == {}


@pytest.mark.parametrize("architecture", [RESNET50, RESNET200, RESNET50.replace(layer_scale=1e-6, norm="layer")])
def test_dict_and_json_round_trips(architecture):
    assert Architecture.from_dict(architecture.to_dict()) == architecture
    assert Architecture.from_json(architecture.to_json()) == architecture


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_size": 4}, "even.*3 or 5"),
        ({"kernel_size": -3}, "kernel_size -3"),
        ({"kernel_size": 3.0}, "kernel_size 3.0"),
        ({"depths": (3, 3, 9)}, "4 entries"),
        ({"depths": (3, 3, 9, 0)}, "each of depths 0"),
        ({"depths": 3}, "4 entries"),
        ({"width": 0}, "width 0"),
        ({"width": True}, "width True"),
        ({"stem": "patchfy"}, "did you mean 'patchify'"),
        ({"stem_stride": 3}, "Possible: 1, 2, 4"),
        ({"depthwise": 1}, "depthwise 1"),
        ({"norm": "batchnorm"}, "did you mean 'batch'"),
        ({"activation": "rleu"}, "did you mean 'relu'"),
        ({"downsampling": "pooling"}, "did you mean 'pool'"),
        ({"layer_scale": "small"}, "layer_scale 'small'"),
        ({"layer_scale": float("nan")}, "layer_scale nan"),
        ({"layer_scale": 1e80}, r"layer_scale 1e\+80 must be None or a finite number of at most 3.4"),
        ({"layer_scale": -(10**5000)}, "layer_scale .* must be None or a finite number"),
        ({"kernel": 7}, "unknown field of Architecture 'kernel'.*kernel_size"),
    ],
)
def test_invalid_values_are_refused_on_creation(changes, message):
    with pytest.raises(AblationError, match=message):
        RESNET50.replace(**changes)


def test_invalid_serialised_data_is_refused():
    with pytest.raises(AblationError, match="unknown field"):
        Architecture.from_dict({"widht": 3})
    with pytest.raises(AblationError, match="invalid JSON"):
        Architecture.from_json("{")
    with pytest.raises(AblationError, match="dictionary"):
        Architecture.from_json("[1]")


@pytest.mark.parametrize(
    ("changes", "smallest"),
    [
        ({}, 1),
        ({"stem": "patchify"}, 4),
        ({"downsampling": "separate"}, 29),
        ({"downsampling": "separate", "stem": "patchify"}, 32),
        ({"downsampling": "pool", "stem": "patchify", "stem_stride": 1}, 8),
    ],
)
def test_min_size(changes, smallest):
    architecture = RESNET50.replace(**changes)
    assert architecture.min_size == smallest
    assert architecture.sizes(smallest)[-1] == 1
    with pytest.raises(AblationError, match=f"smallest that works is {smallest} px"):
        architecture.sizes(smallest - 1)
