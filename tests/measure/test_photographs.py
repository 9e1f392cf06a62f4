"""The photographs that ship with scikit-image and scikit-learn, and normalisation of images."""

from importlib.util import find_spec
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from ablation import AblationError
from ablation.measure.images import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    PHOTOGRAPHS,
    denormalise,
    normalisation,
    normalise,
    photograph,
    photographs,
)


@pytest.mark.parametrize(("size", "in_chans"), [(224, 3), (32, 1)])
def test_eight_photographs_are_read(size, in_chans):
    images = photographs(size, in_chans)
    assert images.shape == (8, in_chans, size, size) and images.dtype == torch.float32
    assert images.min() >= 0 and images.max() <= 1
    assert all(image.std() > 0.01 for image in images)


@pytest.mark.parametrize("entry", PHOTOGRAPHS, ids=lambda entry: entry.name)
def test_every_photograph_has_a_licence_and_is_in_its_package(entry):
    assert entry.licence in ("public domain", "CC0", "CC BY 2.0") and entry.source
    assert (Path(find_spec(entry.package).origin).parent / entry.file).is_file()
    assert min(photograph(entry.name).pixels.size) >= 224, "large enough not to be upsampled"


def test_packages_of_the_photographs_are_dependencies():
    import tomllib

    root = Path(__file__).parents[2]
    required = " ".join(tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"])
    distributions = {"skimage": "scikit-image", "sklearn": "scikit-learn"}
    assert all(distributions[entry.package] in required for entry in PHOTOGRAPHS)


def test_the_message_for_an_unknown_photograph_suggests_the_nearest():
    with pytest.raises(AblationError, match="unknown photograph 'cofee'; did you mean 'coffee'"):
        photograph("cofee")


def test_a_missing_package_is_reported(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(AblationError, match="'cat' is in the package skimage, which is not installed"):
        photograph("cat")


def test_denormalise_inverts_normalise():
    images = torch.rand(2, 3, 4, 4)
    normalised = normalise(images, IMAGENET_MEAN, IMAGENET_STD)
    torch.testing.assert_close(normalised[:, 1], (images[:, 1] - 0.456) / 0.224)
    torch.testing.assert_close(denormalise(normalised, IMAGENET_MEAN, IMAGENET_STD), images)
    assert normalise(images.double(), (0.5,), (2.0,)).dtype == torch.float64


@pytest.mark.parametrize("values", [(0.5, 0.5), (), (float("nan"),) * 3])
def test_normalisation_requires_one_value_per_channel(values):
    with pytest.raises(AblationError, match="must have 3 values, one per channel"):
        normalise(torch.rand(1, 3, 4, 4), values, (1.0,))
    with pytest.raises(AblationError, match="must have 3 values, one per channel"):
        denormalise(torch.rand(1, 3, 4, 4), (0.0,), values)


def test_normalisation_of_a_network():
    assert normalisation(nn.Conv2d(3, 4, 1), 3) == (IMAGENET_MEAN, IMAGENET_STD)
    assert normalisation(timm.create_model("vit_tiny_patch16_224.augreg_in21k_ft_in1k", depth=1), 3)[0] == (0.5,) * 3
    digits = nn.Conv2d(1, 4, 1)
    digits.pretrained_cfg = {"mean": (0.3,), "std": (0.4,)}
    assert normalisation(digits, 1) == ((0.3,), (0.4,))
    with pytest.raises(
        AblationError, match="give mean and std: there is no default normalisation for images with 1 channels"
    ):
        normalisation(nn.Conv2d(1, 4, 1), 1)
