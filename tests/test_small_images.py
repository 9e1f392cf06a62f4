"""The page on small images says what its trials and the ladder say, and its command trains those trials."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

import ablation as ab
from ablation.design.recipes import family
from ablation.design.roadmap import road
from ablation.evidence.intervals import mean_interval
from ablation.study.ladder import ladder_rungs
from tests.test_carried_weights import ACCURACIES, CARRIED, TESTED

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/small_images.md").read_text()
TRIALS = pd.read_csv(ROOT / "figures/small-images-trials.csv")
LADDER = pd.read_csv(ROOT / "figures/roadmap-cifar10-10k.csv").set_index("rung")
RUNGS = {rung.name: rung.architecture for rung in ladder_rungs("small32")}
((STEPS, OPTIONS),) = re.findall(r"^ablation train ([\w ]+?) (--.*)$", PAGE, flags=re.M)
ARCHITECTURE = road(STEPS.split(), "resnet50", 4, 2)[-1].architecture


def line(name, accuracies, architecture):
    found, cost = mean_interval(list(accuracies)), ab.cost(architecture, size=32, num_classes=10)
    half = f" ± {found.half:.1f}" if len(accuracies) > 2 else ""  # two seeds that agree by chance look certain
    numbers = f"{found.mean:.1f}{half} | {len(accuracies)}"
    return f"| {name} | {numbers} | {cost.params / 1e6:.2f} M | {cost.macs / 1e6:.1f} M |"


def on_ladder(name):
    return f"{LADDER.loc[name, 'difference']:+.1f} ± {LADDER.loc[name, 'difference_half']:.1f}"


def carried(after, before):
    found = TESTED[after + CARRIED, before + CARRIED]
    return f"{found.difference:+.1f} ± {found.half:.1f}"


LAST = "strided_downsampling"
EXPECTED = [
    line("this recipe", TRIALS["accuracy"], ARCHITECTURE),
    line("ConvNeXt-T, weights carried", ACCURACIES[LAST + CARRIED].values(), RUNGS[LAST]),
    line("ConvNeXt-T", ACCURACIES[LAST].values(), RUNGS[LAST]),
    line("ResNet-50", ACCURACIES["enhanced_recipe"].values(), RUNGS["enhanced_recipe"]),
    f"| stages of 3, 3, 9 and 3 blocks | {on_ladder('stage_ratio')} |",
    f"| a stem of one 2x2 convolution | {on_ladder('patchify_stem')} |",
    f"| depthwise convolutions | {on_ladder('depthwise')} |",
    f"| one and a half times the width | {on_ladder('widen')} |",
    f"| inverted blocks | {on_ladder('inverted_bottleneck')} |",
    f"| the depthwise convolution stays in the middle | moved up: {on_ladder('move_up_depthwise')} |",
    f"| kernels of 3 | kernels of 7: {on_ladder('kernel_size_7')} |",
    f"| GELU | {on_ladder('gelu')} |",
    f"| one activation per block | {on_ladder('fewer_activations')} |",
    "| a norm after each convolution | one per block: "
    f"{on_ladder('fewer_norms')}, carried {carried('fewer_norms', 'fewer_activations')} |",
    f"| batch norm | LayerNorm: {on_ladder('layer_norm')}, carried {carried('layer_norm', 'fewer_norms')} |",
    f"| strides inside blocks | separate layers: {on_ladder(LAST)}, carried {carried(LAST, 'layer_norm')} |",
]


@pytest.mark.parametrize("expected", EXPECTED)
def test_lines_of_the_tables_match_the_trials(expected):
    assert f"\n{expected.rstrip()}\n" in PAGE, expected


def test_the_command_trains_the_trials_of_the_first_line():
    data, recipe = "imagefolder:cifar10#10000", family("small32").modern.replace(init_gain=2.0)
    assert OPTIONS == "--recipe small32 --init-gain 2 --data cifar10#10000"
    assert set(TRIALS["status"]) == {"done"}
    trials = [ab.Trial.from_dict(json.loads(trial)) for trial in TRIALS["trial"]]
    assert trials == [ab.Trial(ARCHITECTURE, recipe, data, seed) for seed in range(len(TRIALS))]


def test_the_time_of_one_training_is_that_of_the_ladder():
    trials = pd.read_csv(ROOT / "figures/roadmap-cifar10-10k-carried-trials.csv")
    assert "takes about half an hour of a CPU core" in PAGE
    assert 25 < trials["seconds"].mean() / 60 < 35


def test_the_page_is_on_the_site():
    assert "\nsmall_images\n" in (ROOT / "docs/index.md").read_text()


def test_the_readme_and_the_changelog_name_the_accuracy():
    reached = f"{TRIALS['accuracy'].mean():.1f} %"
    assert reached in (ROOT / "README.md").read_text() and reached in (ROOT / "CHANGELOG.md").read_text()
