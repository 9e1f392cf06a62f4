"""The contrasts and verdicts of each stored ladder, computed again by a script that shares no code with ours.

They are computed from the trials and from the accuracies in the tables. The script uses NumPy alone: Student's t is integrated,
and each formula is written out for one pair of rows.
"""

import csv
import json
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ablation.design.roadmap import roadmap
from ablation.evidence.contrasts import contrasts
from ablation.evidence.verdicts import published_sign, verdict_of

FIGURES = Path(__file__).parents[2] / "figures"
TRIALS = sorted(FIGURES.glob("roadmap-*-trials.csv"))
TABLES = sorted(set(FIGURES.glob("roadmap-*.csv")) - set(TRIALS) - set(FIGURES.glob("roadmap-*-presence.csv")))
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
    angles = np.linspace(math.atan(abs(t) / math.sqrt(df)), math.pi / 2, 2001)
    heights = np.cos(angles) ** (df - 1)
    width = (angles[-1] - angles[0]) / 2000
    area = width / 3 * (heights[0] + heights[-1] + 4 * heights[1:-1:2].sum() + 2 * heights[2:-1:2].sum())
    return area * math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)


@cache
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
    """Return (difference, p, half, half of the 90 % interval, whether Welch's, standard error, df) of each step."""
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
        found[name] = (difference, 2 * tail(difference / error, df), *halves, welch, error, df)
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
    for name, (difference, _, _, half, *_) in found.items():
        sign = paper_sign(name)
        if min(counts[name], counts[PAPER[name].previous]) < 3:
            verdicts[name] = ""
        elif adjusted[name] < 0.05:
            verdicts[name] = "differs" if sign == 0 else "agrees" if difference * sign > 0 else "reverses"
        else:
            verdicts[name] = "equivalent" if difference - half > -1 and difference + half < 1 else "undecided"
    return verdicts, adjusted


def power(effect, error, df, level):
    """Return how often a t-test finds an effect with its sign: the mean over the deviations that a sample may have."""
    threshold = quantile(level / 2, df)
    ratios = np.linspace(0, 1 + 12 / math.sqrt(df), 2001)[1:]  # of the sample's standard deviation to the true one
    logs = (df - 1) * np.log(ratios) - df * ratios**2 / 2
    densities = np.exp(logs - logs.max())
    found = [(1 + math.erf((effect / error - threshold * ratio) / math.sqrt(2))) / 2 for ratio in ratios]
    return float((densities * found).sum() / densities.sum())


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
        step, welch = steps[name], numbers[4]
        assert [step.difference, step.p, step.half, step.equivalence_half] == pytest.approx(
            numbers[:4], rel=1e-6, abs=1e-9
        )
        assert power(step.smallest_effect, *numbers[5:], 0.05 / len(pairs)) == pytest.approx(0.8, abs=1e-4)
        assert step.p_holm == pytest.approx(adjusted[name], rel=1e-6, abs=1e-9) and step.welch == welch
        now, before = PAPER[name].published, PAPER[PAPER[name].previous].published
        assert verdict_of(step, published_sign(now, before)) == verdicts[name], name


def test_the_ladder_on_cifar10_has_verdicts_of_every_kind_but_equivalence():
    accuracies, recipes, _ = LADDERS["roadmap-cifar10-10k-trials, gain 1.0, imagefolder:cifar10#10000"]
    verdicts, _ = words(recompute(accuracies, recipes), dict.fromkeys(PAPER, 3), 16)
    assert len(accuracies) == 17 and all(len(by_seed) == 3 for by_seed in accuracies.values())
    assert set(verdicts.values()) == {"agrees", "reverses", "differs", "undecided"}


def is_exact(table, accuracies):
    """Return whether accuracies that are rounded to two decimals have the means that the table gives with all decimals."""
    return all(
        abs(np.mean(v) - float(table[row]["accuracy"])) < 1e-9
        for row, seeds in accuracies.items()
        if (v := [*seeds.values()])
    )


@pytest.mark.parametrize("file", TABLES, ids=lambda file: file.stem)
def test_the_table_of_a_stored_ladder_holds_these_numbers(file):
    with file.open() as opened:
        table = {row["rung"]: row for row in csv.DictReader(opened)}
    accuracies = {
        name: dict(zip(row["seeds"].split(), map(float, row["accuracies"].split()), strict=True))
        for name, row in table.items()
    }
    expected = recompute(accuracies, {name: row["recipe"] for name, row in table.items()})
    steps = sum(bool(PAPER[name].previous) for name in table)
    counts = {name: 0 if int(row["diverged"]) else int(row["n"]) for name, row in table.items()}
    verdicts, adjusted = words(expected, counts, steps)
    close = {"rel": 1e-6, "abs": 1e-9} if is_exact(table, accuracies) else {"abs": 0.02}
    assert expected
    for name, (difference, p, half, equivalence_half, welch, error, df) in expected.items():
        columns = ("difference", "p", "difference_half", "equivalence_half", "p_holm")
        numbers = [difference, p, half, equivalence_half, adjusted[name]]
        assert [float(table[name][column]) for column in columns] == pytest.approx(numbers, **close)
        assert (table[name]["test"], table[name]["verdict"]) == ("Welch" if welch else "pooled", verdicts[name])
        found = power(float(table[name]["smallest_effect"]), error, df, 0.05 / steps)
        assert found == pytest.approx(0.8, abs=1e-4 if "rel" in close else 0.01)


def test_the_tables_are_those_of_every_ladder_in_the_figures():
    assert {"roadmap-digits", "roadmap-cifar10-10k"} <= {file.stem for file in TABLES}
