"""Integrated gradients on trained rungs: completeness with smooth activations, and memory use."""

import dataclasses
import subprocess
import sys
import warnings
from functools import cache

import pytest
import torch

import ablation as ab
from ablation import data as datasets
from ablation.design.recipes import family
from ablation.measure.attribution import AttributionWarning, attribute
from ablation.measure.faithfulness import completeness_gap
from ablation.study.ladder import ladder_trials
from ablation.train.run import weights_file

STEPS, IMAGES = 300, 8
SMOOTH = ("gelu", "fewer_activations", "fewer_norms", "layer_norm", "strided_downsampling")
RELU = "kernel_size_7"
FAMILY = family("micro")
QUICK = dataclasses.replace(FAMILY, modern=FAMILY.modern.replace(epochs=5))  # accurate after half the epochs
TRIALS = {rung.name: trial for trial, rung in ladder_trials(QUICK, "digits", [0]).items()}


@pytest.fixture(scope="module")
def gap(tmp_path_factory):
    """Return a function that trains a rung on digits and returns the gaps of its integrated gradients from black."""
    folder = tmp_path_factory.mktemp("digits")
    data = datasets.load("digits")
    images, labels = data.test_images[:IMAGES], data.test_labels[:IMAGES]
    options = {"mean": data.mean, "std": data.std}

    @cache
    def gaps(name):
        trial = TRIALS[name]
        file = weights_file(folder, trial.key(data.checksum))
        if not file.exists():
            assert ab.run(trial, folder).accuracy > 80
        network = ab.load_weights(file)
        with warnings.catch_warnings():
            warnings.simplefilter("error", AttributionWarning)
            maps = attribute(network, images, labels, steps=STEPS, **options)
        return completeness_gap(network, images, maps, labels, **options)

    return gaps


@pytest.mark.parametrize("name", SMOOTH)
def test_from_gelu_onwards_the_gap_is_below_one_per_cent_on_every_image(gap, name):
    assert gap(name).max() < 0.01


def test_with_relu_the_median_gap_is_larger(gap):
    relu, gelu = gap(RELU).median(), gap("gelu").median()
    assert torch.isfinite(relu) and relu > 100 * gelu


MEMORY = """
import resource, torch, ablation as ab
network = ab.build(ab.roadmap()[-1].architecture)
images = torch.randn(1, 3, 224, 224)
maps = ab.attribute(network, images, 3, steps=48)
assert maps.shape == (1, 224, 224) and maps.any()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_48_steps_on_a_224_px_image_of_the_last_rung_stay_under_3_gb():
    """All at once, they would take more than 6 GB."""
    done = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kilobytes = int(done.stdout)  # the unit of ru_maxrss on Linux
    assert kilobytes * 1024 < 3e9
