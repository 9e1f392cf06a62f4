"""The contrasts and verdicts of a stored ladder, computed again from its trials by a script that shares no code with ours.

It uses NumPy alone: Student's t is integrated, and each formula is written out for one pair of rows.
"""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

from ablation.design.roadmap import roadmap
from ablation.evidence.contrasts import contrasts
from ablation.evidence.verdicts import published_sign, verdict_of

TRIALS = sorted((Path(__file__).parents[2] / "figures").glob("roadmap-*-trials.csv"))
PAPER = {rung.name: rung for rung in roadmap()}


def stored_ladders():
    """Return the ladders that the files of trials hold: name -> (accuracies, recipe and diverged seeds of each rung).

    A rung is known by its label; trials of a comparison of rates have another one. Initial weights of another gain are another
    ladder.
    """
    rung_of = {rung.title: rung.name for rung in PAPER.values()}
    ladders = {}
    for file in TRIALS:
        with file.open() as opened:
            for row in csv.DictReader(opened):
                recipe = json.loads(row["trial"])["recipe"]
                if (name := rung_of.get(row["label"])) is not None:
                    key = f"{file.stem}, gain {recipe.setdefault('init_gain', 1.0)}, {row['data']}"
                    accuracies, recipes, diverged = ladders.setdefault(key, ({}, {}, {}))
                    recipes[name] = json.dumps(recipe)
                    diverged[name] = diverged.get(name, 0) + (row["status"] == "diverged")
                    by_seed = accuracies.setdefault(name, {})
                    if row["status"] == "done":
                        by_seed[int(row["seed"])] = float(row["accuracy"])
    return ladders


LADDERS = stored_ladders()


def tail(t, df):
    """Return the probability that Student's t exceeds |t|, by Simpson's rule over the angle atan(t / sqrt(df))."""
    angles = np.linspace(math.atan(abs(t) / math.sqrt(df)), math.pi / 2, 20001)
    heights = np.cos(angles) ** (df - 1)
    width = (angles[-1] - angles[0]) / 20000
    area = width / 3 * (heights[0] + heights[-1] + 4 * heights[1:-1:2].sum() + 2 * heights[2:-1:2].sum())
    return area * math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)


def quantile(probability, df):
    """Return the t that is exceeded with a probability, by bisection."""
    low, high = 0.0, 1e4
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(middle, df) > probability else (low, middle)
    return low


def departs(name, accuracies, recipes):
    """Return whether a row's distances from its median differ from those of the other rows of its recipe, at 1 %."""
    distances = {
        row: np.abs(np.array(v) - np.median(v)) for row, v in accuracies.items() if recipes[row] == recipes[name]
    }
    one = distances.pop(name)
    if not distances:
        return False
    others = np.concatenate(list(distances.values()))
    df = len(one) + len(others) - 2
    variance = (((one - one.mean()) ** 2).sum() + ((others - others.mean()) ** 2).sum()) / df
    t = (one.mean() - others.mean()) / math.sqrt(variance * (1 / len(one) + 1 / len(others)))
    return 2 * tail(t, df) < 0.01


def recompute(by_seed, recipes):
    """Return (difference, p, half, half of the 90 % interval, whether Welch's) of each step."""
    accuracies = {name: list(seeds.values()) for name, seeds in by_seed.items()}
    own = {name: departs(name, accuracies, recipes) for name in accuracies}
    found = {}
    for name, rung in PAPER.items():
        if rung.previous is None or not accuracies.get(name) or not accuracies.get(rung.previous):
            continue
        a, b = accuracies[name], accuracies[rung.previous]
        welch = recipes[name] != recipes[rung.previous] or own[name] or own[rung.previous]
        if welch:
            va, vb = np.var(a, ddof=1) / len(a), np.var(b, ddof=1) / len(b)
            error, df = math.sqrt(va + vb), (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
        else:
            pool = [v for row, v in accuracies.items() if recipes[row] == recipes[name] and not own[row]]
            df = sum(len(v) - 1 for v in pool)
            error = math.sqrt(sum(((np.array(v) - np.mean(v)) ** 2).sum() for v in pool) / df)
            error *= math.sqrt(1 / len(a) + 1 / len(b))
        difference = np.mean(a) - np.mean(b)
        halves = quantile(0.025, df) * error, quantile(0.05, df) * error
        found[name] = (difference, 2 * tail(difference / error, df), *halves, welch)
    return found


def paper_sign(name):
    now, before = PAPER[name].published, PAPER[PAPER[name].previous].published
    change = now.accuracy - before.accuracy
    if now.std is not None and before.std is not None and abs(change) < 2 * math.sqrt((now.std**2 + before.std**2) / 3):
        return 0
    return 1 if change > 0 else -1


def words(found, counts, steps):
    """Return the verdict and Holm's p-value of each step, of so many in all."""
    ranked = sorted(found, key=lambda name: found[name][1])
    adjusted, highest = {}, 0.0
    for i, name in enumerate(ranked):
        highest = max(highest, min(1.0, (steps - i) * found[name][1]))
        adjusted[name] = highest
    verdicts = {}
    for name, (difference, _, _, half, _) in found.items():
        sign = paper_sign(name)
        if min(counts[name], counts[PAPER[name].previous]) < 3:
            verdicts[name] = ""
        elif adjusted[name] < 0.05:
            verdicts[name] = "differs" if sign == 0 else "agrees" if difference * sign > 0 else "reverses"
        else:
            verdicts[name] = "equivalent" if difference - half > -1 and difference + half < 1 else "undecided"
    return verdicts, adjusted


@pytest.mark.parametrize("ladder", LADDERS.values(), ids=list(LADDERS))
def test_contrasts_and_verdicts_of_a_stored_ladder(ladder):
    accuracies, recipes, diverged = ladder
    pairs = [(name, PAPER[name].previous) for name in accuracies if PAPER[name].previous in accuracies]
    steps = dict(zip((after for after, _ in pairs), contrasts(accuracies, recipes, pairs, diverged), strict=True))
    expected = recompute(accuracies, recipes)
    counts = {name: 0 if diverged[name] else len(by_seed) for name, by_seed in accuracies.items()}
    verdicts, adjusted = words(expected, counts, len(pairs))
    assert expected
    for name, numbers in expected.items():
        step, welch = steps[name], numbers[-1]
        assert [step.difference, step.p, step.half, step.equivalence_half] == pytest.approx(
            numbers[:-1], rel=1e-6, abs=1e-9
        )
        assert step.p_holm == pytest.approx(adjusted[name], rel=1e-6, abs=1e-9) and step.welch == welch
        now, before = PAPER[name].published, PAPER[PAPER[name].previous].published
        assert verdict_of(step, published_sign(now, before)) == verdicts[name], name


def test_the_ladder_on_cifar10_has_verdicts_of_every_kind_but_equivalence():
    accuracies, recipes, _ = LADDERS["roadmap-cifar10-10k-trials, gain 1.0, imagefolder:cifar10#10000"]
    verdicts, _ = words(recompute(accuracies, recipes), dict.fromkeys(PAPER, 3), 16)
    assert len(accuracies) == 17 and all(len(by_seed) == 3 for by_seed in accuracies.values())
    assert set(verdicts.values()) == {"agrees", "reverses", "differs", "undecided"}


def test_the_table_of_the_ladder_on_cifar10_holds_these_numbers():
    accuracies, recipes, _ = LADDERS["roadmap-cifar10-10k-trials, gain 1.0, imagefolder:cifar10#10000"]
    expected = recompute(accuracies, recipes)
    verdicts, adjusted = words(expected, dict.fromkeys(PAPER, 3), 16)
    with (TRIALS[0].parent / "roadmap-cifar10-10k.csv").open() as opened:
        table = {row["rung"]: row for row in csv.DictReader(opened)}
    for name, (difference, p, half, equivalence_half, welch) in expected.items():
        columns = ("difference", "p", "difference_half", "equivalence_half", "p_holm")
        numbers = [difference, p, half, equivalence_half, adjusted[name]]
        assert [float(table[name][column]) for column in columns] == pytest.approx(numbers, rel=1e-6, abs=1e-9)
        assert (table[name]["test"], table[name]["verdict"]) == ("Welch" if welch else "pooled", verdicts[name])
