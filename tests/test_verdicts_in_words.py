"""The texts about the ladder on CIFAR-10, in the README, on its page and on the contact sheet, match the stored results."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from ablation.design.roadmap import roadmap
from ablation.evidence.contrasts import contrasts
from ablation.evidence.verdicts import published_sign

FIGURES = Path(__file__).parents[1] / "figures"
SHEET = (FIGURES / "README.md").read_text()
README = (FIGURES.parent / "README.md").read_text()
SMALL_SCALE = (FIGURES.parent / "docs" / "small_scale.md").read_text()
LADDER = pd.read_csv(FIGURES / "roadmap-cifar10-10k.csv").set_index("rung")
TRIALS = pd.read_csv(FIGURES / "roadmap-cifar10-10k-trials.csv")
RUNGS = {rung.name: rung for rung in roadmap("resnet50")}


def in_points(mean, half):
    return f"{mean:+.1f} ± {half:.1f}"


@pytest.mark.parametrize("rung", [rung for rung in RUNGS.values() if rung.previous], ids=lambda rung: rung.name)
def test_the_table_of_steps_matches_the_files(rung):
    now, before = rung.published, RUNGS[rung.previous].published
    title = rung.title.removeprefix("ResNet-50 (").removesuffix(")")
    cells = [title if rung.adopted else f"{title} (not kept)"]
    cells.append(f"{now.accuracy - before.accuracy:+.2f}{'' if published_sign(now, before) else ' (0)'}")
    row = LADDER.loc[rung.name]
    p = "< 0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}"
    cells += [in_points(row["difference"], row["difference_half"]), p, row["verdict"]]
    assert f"\n| {' | '.join(cells)} |\n" in SHEET


@pytest.mark.parametrize("text", [README, SMALL_SCALE], ids=["README", "small_scale"])
def test_the_counts_of_verdicts_match_the_files(text):
    counted = Counter(LADDER["verdict"].dropna())
    counts = f"{counted['agrees']} agree, {counted['reverses']} reverse, {counted['differs']} differ, {counted['equivalent']} are"
    counts += f" equivalent and {counted['undecided']} are undecided"
    assert f"of {counted.total()} comparisons {counts}" in " ".join(text.split())
    assert set(LADDER["n"]) == {3}


def test_the_sums_match_the_files():
    rates = TRIALS["label"].str.contains(", rate ")

    def by_seed(rung):
        row = LADDER.loc[rung]
        return dict(zip(row["seeds"].split(), map(float, row["accuracies"].split()), strict=True))

    def between(start, end):
        (change,) = contrasts({rung: by_seed(rung) for rung in LADDER.index}, dict(LADDER["recipe"]), [(end, start)])
        return change.difference, change.half

    sheet = " ".join(SHEET.split())
    rise, fall = between("enhanced_recipe", "inverted_bottleneck"), between("enhanced_recipe", "strided_downsampling")
    assert f"{in_points(*rise)[1:]} points above ResNet-50" in sheet
    assert f"ends {in_points(*fall)[1:]} below it" in sheet and fall[0] < -fall[1]
    assert f"undecided ({in_points(*between('original_recipe', 'strided_downsampling'))})" in sheet
    pooled = LADDER["test"] == "pooled"
    assert (
        f"difference of {LADDER.loc[pooled, 'smallest_effect'].median():.1f} points is found with 80 % power" in sheet
    )
    waiting = 2 * 1440  # seconds that the first two trials spent waiting
    ladder, tuning = TRIALS["seconds"][~rates].sum() - waiting, TRIALS["seconds"][rates].sum()
    assert ladder + waiting == pytest.approx(LADDER["seconds"].iloc[0])
    assert f"{ladder:,.0f} core-seconds and the 16 of the rates {tuning:,.0f}" in sheet and rates.sum() == 16
    assert f"{(~rates).sum()} trials of the ladder" in sheet and f"{(ladder + tuning) / 3600:.1f} core-hours" in sheet
    for rung in ("inverted_bottleneck", "strided_downsampling", "enhanced_recipe"):
        assert f"({LADDER.loc[rung, 'accuracy']:.1f} %)" in SMALL_SCALE
    for text in (README, SMALL_SCALE):
        assert f"{(~rates).sum()} trials, {ladder / 3600:.0f} core-hours" in " ".join(text.split())
