"""The contact sheet says what carried initial weights change on CIFAR-10, as recomputed from the trials."""

from pathlib import Path

import pandas as pd
import pytest

from ablation.design.roadmap import roadmap
from ablation.evidence.contrasts import contrasts
from ablation.evidence.verdicts import published_sign, verdict_of

FIGURES = Path(__file__).parents[1] / "figures"
SHEET = (FIGURES / "README.md").read_text()
RUNGS = {rung.title: rung for rung in roadmap("resnet50")}
ROWS = ("fewer_activations", "fewer_norms", "layer_norm", "strided_downsampling")
CARRIED = ", init gain 2"


TRIALS = [FIGURES / f"roadmap-cifar10-10k{kind}-trials.csv" for kind in ("", "-carried")]


def measured():
    """Accuracies of the modern recipe's rows by seed, on 10,000 images; rows with carried weights as NAME, init gain 2."""
    trials = pd.concat(pd.read_csv(file) for file in TRIALS)
    ladder = trials[(trials["data"] == "imagefolder:cifar10#10000") & (trials["recipe"] == "small32-modern")]
    found = {}
    for row in ladder.itertuples():
        title, carried, _ = row.label.partition(CARRIED)
        found.setdefault(RUNGS[title].name + carried, {})[row.seed] = row.accuracy
    return found


ACCURACIES = measured()
STEPS = list(zip(ROWS[1:], ROWS[:-1], strict=True))
PAIRS = [(row + CARRIED, row) for row in ROWS] + [(after + CARRIED, before + CARRIED) for after, before in STEPS]
TESTED = dict(zip(PAIRS, contrasts(ACCURACIES, dict.fromkeys(ACCURACIES, "modern"), PAIRS), strict=True))


def in_points(found):
    p = "< 0.001" if found.p_holm < 0.001 else f"{found.p_holm:.3f}"
    return f"{found.difference:+.1f} ± {found.half:.1f} ({p})"


def test_what_the_trials_took_matches_the_file():
    carried = pd.read_csv(TRIALS[1])
    assert set(carried["status"]) == {"done"} and carried["label"].str.endswith(CARRIED).all()
    sheet = " ".join(SHEET.split())
    assert f"The {len(carried)} trials with carried weights took {carried['seconds'].sum():,.0f} core-seconds" in sheet


@pytest.mark.parametrize("row", ROWS)
def test_the_table_of_carried_weights_matches_the_trials(row):
    rung = next(rung for rung in RUNGS.values() if rung.name == row)
    means = [sum(seeds.values()) / len(seeds) for seeds in (ACCURACIES[row], ACCURACIES[row + CARRIED])]
    cells = [rung.title, *(f"{mean:.1f}" for mean in means), str(len(ACCURACIES[row + CARRIED]))]
    cells.append(in_points(TESTED[row + CARRIED, row]))
    if rung.previous == "gelu":
        cells += ["", ""]
    else:
        step = TESTED[row + CARRIED, rung.previous + CARRIED]
        before = next(other for other in RUNGS.values() if other.name == rung.previous)
        cells += [in_points(step), verdict_of(step, published_sign(rung.published, before.published)) or "no verdict"]
    line = "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"
    assert line in SHEET, line
