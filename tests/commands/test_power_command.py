"""`ablation power`: what it prints of a store, and its errors."""

import re
from pathlib import Path

import pytest

from ablation.study.store import FILE
from tests.commands.running import ablation
from tests.study.samples import KEYS, outcome, planned_store

TRIALS = Path(__file__).parents[2] / "figures" / "roadmap-cifar10-10k-trials.csv"


@pytest.fixture(scope="module")
def ladder(tmp_path_factory):
    """A store with the stored ladder on CIFAR-10."""
    from ablation.commands.import_ import import_trials

    folder = tmp_path_factory.mktemp("ladder")
    import_trials(folder, TRIALS, None)
    return folder


def shown(out):
    """Return the cells of each row, by the first."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in out.splitlines()]
    return {cells[0]: cells[1:] for cells in lines if len(cells) == 3}


def test_both_questions_are_answered_of_each_recipe(ladder, capsys):
    code, out, error = ablation("power", "--store", ladder, capsys=capsys)
    assert code == 0, error
    cells = shown(out)
    assert cells["recipe"] == ["small32-original, 30 epochs", "small32-modern, 30 epochs"]
    assert (
        cells["networks"] == ["1", "16"]
        and cells["degrees of freedom"] == ["2", "32"]
        and cells["steps"] == ["1", "16"]
    )
    assert cells["std"] == ["2.58 points (1.34 to 16.21)", "0.60 points (0.48 to 0.79)"]
    assert cells["3 seeds find"][1] == "2.00 points" and cells["1 point needs"][1] == "11 seeds"
    assert {"5 seeds find", "10 seeds find", "0.5 points need", "2 points need"} <= set(cells)


def test_one_question_is_answered_alone(ladder, capsys):
    _, out, _ = ablation("power", "--store", ladder, "--seeds", 7, "--steps", 1, capsys=capsys)
    cells = shown(out)
    assert cells["steps"] == ["1", "1"] and [name for name in cells if "seeds find" in name] == ["7 seeds find"]
    assert not [name for name in cells if "need" in name]
    _, out, _ = ablation("power", "--store", ladder, "--effect", 0.05, capsys=capsys)
    cells = shown(out)
    assert cells["0.05 points need"] == ["over 1,000 seeds"] * 2 and not [name for name in cells if "find" in name]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seeds", "2"), "seeds 2 must be 3 or more: with fewer than three, a step has no verdict"),
        (("--effect", "0"), "effect 0.0 must be 0.01 or more: it is a difference in percentage points"),
        (("--effect", "nan"), "effect nan must be a finite number"),
        (("--steps", "0"), "steps 0 must be 1 or more"),
        (("--store", "nowhere"), "nowhere holds no study"),
    ],
)
def test_mistakes_are_told_in_one_line(options, message, ladder, capsys):
    code, out, error = ablation("power", "--store", ladder, *options, capsys=capsys)
    assert code == 2 and not out and message in error and len(error.strip().splitlines()) == 1


def test_a_store_without_two_seeds_of_a_network(tmp_path, capsys):
    with planned_store(tmp_path / FILE) as store:
        store.put(KEYS[0], outcome(80.0))
    code, _, error = ablation("power", "--store", tmp_path, capsys=capsys)
    assert code == 2 and "no network with two seeds among its 1 finished trials" in error
    assert len(error.strip().splitlines()) == 1
