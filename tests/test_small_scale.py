"""The page on small scale says what the tables of the ladders say: verdicts and rank correlations."""

import re
from pathlib import Path

import pandas as pd
import pytest

from ablation.evidence.rank_correlation import rank_correlation

ROOT = Path(__file__).parents[1]
WORDS = {
    "agree": "agrees",
    "reverse": "reverses",
    "differ": "differs",
    "equivalent": "equivalent",
    "undecided": "undecided",
}
VERDICTS = r"of 16 comparisons (\d+) agree, (\d+) reverse, (\d+) differ, (\d+) are\s+equivalent and (\d+) are undecided"
LADDERS = {"Digits": "digits", "CIFAR-10": "cifar10-10k"}


def table(name):
    return pd.read_csv(ROOT / f"figures/roadmap-{name}.csv")


def passages():
    page = (ROOT / "docs/small_scale.md").read_text()
    parts = re.split(r"^- \*\*", page, flags=re.M)[1:]
    found = {name: next(part for part in parts if part.startswith(name)) for name in LADDERS}
    readme = (ROOT / "README.md").read_text()
    return [(LADDERS[name], text) for name, text in found.items()] + [("cifar10-10k", readme)]


@pytest.mark.parametrize(("name", "text"), passages(), ids=["digits", "CIFAR-10", "README"])
def test_the_verdicts_are_those_of_the_table(name, text):
    ((*counts,),) = re.findall(VERDICTS, text)
    found = table(name)["verdict"].value_counts().to_dict()
    assert {verdict: int(count) for verdict, count in zip(WORDS.values(), counts, strict=True) if int(count)} == found


@pytest.mark.parametrize(("name", "text"), passages()[:2], ids=["digits", "CIFAR-10"])
def test_the_rank_correlations_are_those_of_the_table(name, text):
    whole = rank_correlation(table(name))
    ((rho, low, high),) = re.findall(r"([+-][\d.]+) \(95 % interval ([+-][\d.]+) to ([+-][\d.]+)\)", text)
    assert (rho, low, high) == (f"{whole.rho:+.2f}", f"{whole.low:+.2f}", f"{whole.high:+.2f}")
    for part in re.findall(r"rank correlation is ([+-][\d.]+) up to there", text):
        rows = table(name)
        until = rows.index[rows["rung"] == "inverted_bottleneck"][0]
        assert part == f"{rank_correlation(rows.loc[:until]).rho:+.2f}"
