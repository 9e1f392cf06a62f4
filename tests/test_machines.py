"""The numbers on the page about machines follow from those that it cites."""

from pathlib import Path

import pytest

import ablation as ab
from ablation.design.recipes import FAMILIES
from ablation.study.ladder import ladder_rungs

PAGE = Path(__file__).parents[1].joinpath("docs", "machines.md").read_text()
PROTOTYPE, CONVNEXT = 82_000, 2_386  # images a second on an H100, as the page says
T4 = 320 / 3350
SEEDS = 3


def study(recipe, images, size, classes):
    """Return the images that a study trains, and the mean MACs of its networks, weighted by them."""
    trained = macs = 0
    for rung in ladder_rungs(recipe):
        epochs = getattr(FAMILIES[recipe], rung.recipe).epochs * SEEDS
        trained += epochs * images
        macs += epochs * images * ab.cost(rung.architecture, size, classes).macs
    return trained, macs / trained


CIFAR, SMALL_MACS = study("small32", 50_000, 32, 10)
TINY, TINY_MACS = study("small64", 100_000, 64, 200)
IMAGENET = 1_281_167 * FAMILIES["paper"].modern.epochs
TINY_RATES = [PROTOTYPE * SMALL_MACS / TINY_MACS, CONVNEXT * ab.cost(ab.convnext("tiny")).macs / TINY_MACS]
HOURS = 3600


@pytest.mark.parametrize(
    ("text", "value", "tolerance"),
    [
        ("16 min (c) | 2 min (c)", CIFAR / PROTOTYPE / 60, 0.5),
        ("2.7 h (c) | 16 min", CIFAR / PROTOTYPE / T4 / HOURS, 0.05),
        ("33 min (c) | 3 min", CIFAR / 5 / PROTOTYPE / T4 / 60, 0.5),
        ("45 h (c) | 5.6 h (c)", IMAGENET / CONVNEXT / HOURS, 0.5),
        ("43 h to 10 days", TINY / TINY_RATES[1] / T4 / HOURS, 0.7),
        ("4 to 24 h (c)", TINY / TINY_RATES[1] / HOURS, 0.5),
        ("43 h (c) | 2.7 h", 17 * 5 / 2, 0.6),
    ],
)
def test_times_follow(text, value, tolerance):
    assert text in PAGE
    assert float(text.split()[0]) == pytest.approx(value, abs=tolerance)


def test_the_rest_follows():
    assert f"{CIFAR:,} images" in PAGE and f"{TINY:,} images" in PAGE and f"{IMAGENET:,} images" in PAGE
    assert TINY / TINY_RATES[0] / HOURS == pytest.approx(24, abs=0.5)
    assert TINY / TINY_RATES[0] / T4 / HOURS / 24 == pytest.approx(10, abs=0.7)
    assert [round(macs / 1e6) for macs in (SMALL_MACS, TINY_MACS, ab.cost(ab.convnext("tiny")).macs)] == [22, 346, 4456]
    gpu_hours = IMAGENET * 17 * SEEDS / CONVNEXT / HOURS
    assert gpu_hours == pytest.approx(2300, abs=50) and gpu_hours / 8 / 24 == pytest.approx(12, abs=0.5)
    assert 2.5 * gpu_hours == pytest.approx(5700, abs=50) and pytest.approx(76, abs=1) == 8 * 2400 * 0.004


def test_the_page_is_on_the_site():
    assert "\nmachines\n" in (Path(__file__).parents[1] / "docs" / "index.md").read_text()
