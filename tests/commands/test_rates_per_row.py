"""`ablation rates --every-row`, and a ladder that takes its rates: what they print and write, from invented outcomes."""

import dataclasses

import pytest

from ablation import Study
from ablation.commands import compare_row_rates as comparison
from ablation.commands import run_roadmap as roadmaps
from ablation.design.recipes import family
from ablation.study.engines import Event
from ablation.study.ladder import ladder_rungs
from ablation.study.store import FILE, Store
from tests.commands.running import ablation, rows_of
from tests.study.samples import outcome

RUNGS = {rung.name: rung for rung in ladder_rungs("micro")}
PAIR = family("micro")
EVERY_ROW = ("rates", "--every-row", "--data", "digits#200+100")
TWICE = ("depthwise", "gelu")  # best at twice the rate of their recipe, all others at that rate


def without_training(trials, directory, workers=None):
    """Engine whose accuracies are highest at the rate that suits a row."""
    for trial in trials:
        rung = next(r for r in RUNGS.values() if r.architecture == trial.architecture)
        usual = (PAIR.modern if trial.recipe.optimizer == "adamw" else PAIR.original).lr
        suits = trial.recipe.lr == usual * (2 if rung.name in TWICE else 1)
        yield Event(trial, "ended", outcome=dataclasses.replace(outcome(60.0 + suits + trial.seed), seconds=1.0))


@pytest.fixture
def untrained(monkeypatch, tmp_path):
    for module in (comparison, roadmaps):
        monkeypatch.setattr(module, "Study", lambda labels, store, *_, **__: Study(labels, store, without_training))
    monkeypatch.setattr("ablation.show.picture.png", lambda figure: b"drawn")  # layout takes a second each
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_rates_of_a_comparison_train_the_ladder(untrained, capsys):
    code, out, error = ablation(*EVERY_ROW, "--modern", "0.004,0.008", "--original", "0.01", capsys=capsys)
    assert code == 0, error
    assert "33 trials to train" in out and "micro-modern, which uses 0.004" in out
    line = next(line for line in out.splitlines() if line.startswith("  ReLU to GELU"))
    assert line.split()[3:] == ["60.0", "61.0", "0.008", "highest", "1.0"]
    file = untrained / "figures" / "rates-digits-200-100-rows.csv"
    assert f"`ablation roadmap --rates {file.relative_to(untrained)}`" in out
    rows = rows_of(file)
    best = {row["rung"]: float(row["lr"]) for row in rows if row["best"] == "True"}
    assert best == {name: 0.01 if name == "original_recipe" else 0.008 if name in TWICE else 0.004 for name in RUNGS}
    assert {row["at_edge"] for row in rows} == {"only", "lowest", "highest"}
    assert all(row["train_losses"] and row["torch"] and row["data"] for row in rows)
    assert file.with_suffix(".png").read_bytes() == b"drawn"

    for command in (("roadmap",), ("study", "ladder")):
        code, out, error = ablation(*command, "--seeds", 2, "--rates", file, capsys=capsys)
        assert code == 0, error
        assert ("34 trials to train" if command == ("roadmap",) else "0 trials to train") in out
        assert "recipe micro, 2 seeds, own rates" in out and "depthwise conv 0.008, increase width 0.004" in out
    table = rows_of(untrained / "figures" / "roadmap-digits-own-rates.csv")
    assert {row["rung"]: float(row["lr"]) for row in table} == best and {row["rates"] for row in table} == {"own rates"}
    assert {row["accuracy"] for row in table} == {"61.5"} and [row["test"] for row in table[2:]] == ["pooled"] * 15
    assert not (untrained / "figures" / "roadmap-digits.csv").exists()


def test_a_ladder_at_one_rate_says_so_and_keeps_its_labels_beside_own_rates(untrained, capsys):
    rates = untrained / "rates.csv"
    columns = "rung,recipe,init_gain,lr,best,at_edge,start,width_divisor,stem_stride"
    usual = [(name, PAIR.original if rung.recipe == "original" else PAIR.modern) for name, rung in RUNGS.items()]
    lines = [f"{n},{r.name},1.0,{r.lr * (2 if n in TWICE else 1)},True,,resnet50,8,1" for n, r in usual]
    rates.write_text("\n".join([columns, *lines, ""]))
    code, out, error = ablation("roadmap", "--seeds", 1, capsys=capsys)
    assert code == 0, error
    assert (
        "recipe micro, 1 seeds, one rate" in out
        and "its learning rate, 0.01 (micro-original) and 0.004 (micro-modern)." in out
    )
    assert {row["rates"] for row in rows_of(untrained / "figures" / "roadmap-digits.csv")} == {"one rate"}
    code, out, error = ablation("roadmap", "--seeds", 1, "--rates", rates, capsys=capsys)
    assert code == 0 and "2 trials to train, 15 already done" in out, error
    with Store(untrained / "runs" / FILE, readonly=True) as store:
        labels = [row["label"] for row in store.rows()]
    own = [f"{RUNGS[name].title}, own rate 0.008" for name in TWICE]
    assert sorted(labels) == sorted([*(rung.title for rung in RUNGS.values()), *own])


def test_without_rates_the_grid_is_that_of_the_recipe(untrained, monkeypatch, capsys):
    planned = []
    monkeypatch.setattr(comparison, "run_with_progress", lambda study, *_: planned.extend(study.trials) or {})
    arguments = ("--seeds", 2, "--epochs", 3)
    code, _, error = ablation(*EVERY_ROW, *arguments, capsys=capsys)
    assert code == 2 and "none of the 170 trials has an outcome" in error
    assert {trial.recipe.lr for trial in planned if trial.recipe.optimizer == "adamw"} == {
        0.001,
        0.002,
        0.004,
        0.008,
        0.016,
    }
    assert {trial.recipe.lr for trial in planned if trial.recipe.optimizer == "sgd"} == {
        0.0025,
        0.005,
        0.01,
        0.02,
        0.04,
    }
    assert {(trial.seed, trial.recipe.epochs) for trial in planned} == {(0, 3), (1, 3)}
    assert {trial.architecture for trial in planned} == {rung.architecture for rung in RUNGS.values()}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rates", "--data", "digits#200+100", "--seeds", "2"), "--seeds is for --every-row"),
        (("rates", "--data", "digits#200+100", "--start", "resnet200"), "--start is for --every-row"),
        (("rates", "--every-row", "--data", "digits"), "has no held-out images"),
        ((*EVERY_ROW, "--seeds", "0"), "seeds 0 must be 1 or more"),
        ((*EVERY_ROW, "--seeds", "1000", "--modern", "1,2,3,4,5,6,7,8"), "trials 133000 must be 100,000 or less: 1,000 seeds"),
        ((*EVERY_ROW, "--start", "resnet200"), "every width of the ladder; 84 is not divisible"),
        ((*EVERY_ROW, "--modern", "0.1;0.2"), "must be learning rates separated by commas"),
        ((*EVERY_ROW, "--start", "resnet5"), "did you mean 'resnet50'"),
        (("roadmap", "--rates", "none.csv"), "cannot read none.csv"),
        (("study", "ladder", "--rates", "none.csv"), "cannot read none.csv"),
        (("study", "one-at-a-time", "gelu", "--rates", "none.csv"), "--rates none.csv is for the design ladder"),
    ],
)  # fmt: skip
def test_mistakes_are_told_before_any_work(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, error = ablation(*arguments, capsys=capsys)
    assert code == 2 and not out and message in error and len(error.strip().splitlines()) == 1, error
    assert not any(path.is_file() for path in tmp_path.rglob("*"))
